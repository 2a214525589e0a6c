# %% [markdown] mistake="reads the group axis at gh in place of the inverse of g times h"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    f, r = g
    elements = [(a, b) for a in (0, 1) for b in range(4)]
    index = [elements.index(D4.product(g, h)) for h in elements]
    moved = y[..., index, :, :]
    if f:
        moved = reflect(moved)
    return rotate(moved, r)
