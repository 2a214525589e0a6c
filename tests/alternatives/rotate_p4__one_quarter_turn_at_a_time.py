# %% [markdown] start="model"
# A quarter turn by transposing and flipping, and by handing each orientation on to the next; repeated r times.

# %% answer="rotate-p4"
def quarter(y):
    turned = y.transpose(-1, -2).flip(-2)
    return torch.cat([turned[..., 3:, :, :], turned[..., :3, :, :]], dim=-3)


def rotate_p4(y, r):
    for _ in range(r % 4):
        y = quarter(y)
    return y
