# %% [markdown] start="model"
# The two generators, one after the other, each writing into an empty tensor.

# %% answer="d4-action"
def transform_p4m(y, g):
    f, r = g
    if f:
        mirrored = torch.empty_like(y)
        for k in range(4):
            mirrored[..., 4 + -k % 4, :, :] = reflect(y[..., k, :, :])
            mirrored[..., -k % 4, :, :] = reflect(y[..., 4 + k, :, :])
        y = mirrored
    for _ in range(r):
        turned = torch.empty_like(y)
        for h in range(8):
            turned[..., h - h % 4 + (h + 1) % 4, :, :] = rotate(y[..., h, :, :], 1)
        y = turned
    return y
