# %% [markdown] mistake="calls itself without an end"

# %% answer="rotate-p4"
def rotate_p4(y, r):
    """One quarter turn, r times."""
    if r == 1:
        y = rotate(y, 1)
        return torch.cat([y[..., 3:, :, :], y[..., :3, :, :]], dim=-3)
    return rotate_p4(rotate_p4(y, 1), r - 1)
