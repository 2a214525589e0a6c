# %% [markdown] mistake="shifts the group axis in place from the front, so that a map is overwritten before it is passed on"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    y = y.clone()
    for _ in range(r % 4):
        y = rotate(y, 1)
        last = y[..., 3, :, :].clone()
        for s in range(3):
            y[..., s + 1, :, :] = y[..., s, :, :]
        y[..., 0, :, :] = last
    return y
