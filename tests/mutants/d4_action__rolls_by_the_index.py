# %% [markdown] mistake="rolls the group axis by the element's index"

# %% answer="d4-action"
def transform_p4m(y, g):
    f, r = g
    if f == 1:
        y = reflect(y)
    y = rotate(y, r)
    return torch.roll(y, 4 * f + r, dims=-3)
