# %% [markdown] mistake="a mirror image reverses the order only in the half that becomes the mirrored one, the other half keeps its order"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    f, r = g
    if f:
        # F^-1 R^s     is (1, s): R^s with a mirror image
        # F^-1 (R^s F) is (0, -s): F R^s F = R^-s
        sources = [4 + s for s in range(4)] + [-s % 4 for s in range(4)]
        y = torch.stack([reflect(y[..., i, :, :]) for i in sources], dim=-3)
    # R^-r R^s F^f = R^(s - r) F^f
    sources = [4 * half + (s - r) % 4 for half in (0, 1) for s in range(4)]
    return torch.stack([rotate(y[..., i, :, :], r) for i in sources], dim=-3)
