# %% [markdown] mistake="reverses the whole group axis for the mirror image, which takes index i to 7 - i: the identity lands on (1, 3) and not on (1, 0)"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    """Act with g = (f, r) on a function on p4m, (..., 8, H, W): mirror first if f is 1, then turn r times."""
    f, r = g
    if f:
        y = y.flip(-3, -1)  # the halves change places, their order is reversed, left becomes right
    y = rotate(y, r).unflatten(-3, (2, 4)).roll(r, -3)
    return y.flatten(-4, -3)
