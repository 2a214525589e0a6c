# %% [markdown] mistake="turns the orientations in place, so that a wrong one is read later"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    y = rotate(y, r).contiguous()
    for s in range(4):
        y[..., s, :, :] = y[..., (s - r) % 4, :, :]
    return y
