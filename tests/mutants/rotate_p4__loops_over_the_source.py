# %% [markdown] mistake="sends orientation s to s - r: reads the formula from the wrong side"

# %% answer="rotate-p4"
def rotate_p4(y, r):
    out = torch.empty_like(y)
    for s in range(4):
        out[..., (s - r) % 4, :, :] = rotate(y[..., s, :, :], r)
    return out
