# %% [markdown] mistake="mirrors the pixels only of the maps that move into the mirrored half: those that come back from it are passed on unmirrored"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    """Act with g = (f, r) on a function on p4m, (..., 8, H, W): mirror first if f is 1, then turn r times."""
    f, r = g
    turns, mirrored = y[..., :4, :, :], y[..., 4:, :, :]
    if f == 1:
        order = [0, 3, 2, 1]  # F R^r = R^-r F
        # the turns become mirrored ones, and the mirrored ones are turns again
        turns, mirrored = mirrored[..., order, :, :], reflect(turns)[..., order, :, :]
    halves = [torch.roll(rotate(half, r), r, -3) for half in (turns, mirrored)]
    return torch.cat(halves, dim=-3)
