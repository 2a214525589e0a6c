# %% [markdown] mistake="turns the pixels in place, so that the tensor that was passed in is changed as well"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    """Turn a function on p4, (..., 4, H, W), by r quarter turns counter-clockwise."""
    for s in range(4):
        y[..., s, :, :] = rotate(y[..., s, :, :], r)  # first the pixels of each orientation
    return torch.roll(y, shifts=r, dims=-3)  # then the orientations
