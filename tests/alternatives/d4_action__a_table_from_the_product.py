# %% [markdown] start="model"
# The definition, with the D4 of exercise 1.3: what is at h was at g^-1 h.

# %% answer="d4-action"
def transform_p4m(y, g):
    back = D4.inverse(g)
    elements = [(f, r) for f in (0, 1) for r in (0, 1, 2, 3)]
    came_from = [elements.index(D4.product(back, h)) for h in elements]
    f, r = g
    pixels = y.flip(-1) if f == 1 else y
    for _ in range(r):
        pixels = pixels.flip(-1).transpose(-1, -2)
    return pixels.index_select(-3, torch.tensor(came_from, device=y.device))
