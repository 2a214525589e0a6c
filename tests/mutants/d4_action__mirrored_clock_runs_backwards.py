# %% [markdown] mistake="after a mirror image the group axis is rolled the other way than the pixels turn"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    """Act with g = (f, r) on a function on p4m, (..., 8, H, W): mirror first if f is 1, then turn r times."""
    f, r = g
    turns, mirrored = y.split(4, dim=-3)
    steps = r
    if f == 1:
        # the halves change places and their order changes: 0, 3, 2, 1
        turns, mirrored = reflect(mirrored)[..., [0, 3, 2, 1], :, :], reflect(turns)[..., [0, 3, 2, 1], :, :]
        steps = -r  # F R^r = R^-r F
    turns = rotate(turns, r).roll(steps, -3)
    mirrored = rotate(mirrored, r).roll(steps, -3)
    return torch.cat([turns, mirrored], dim=-3)
