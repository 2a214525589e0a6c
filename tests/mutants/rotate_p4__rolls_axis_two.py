# %% [markdown] mistake="rolls axis 2, which is the group axis only if exactly two axes stand before it"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    """Turn a function on p4, (..., 4, H, W), by r quarter turns counter-clockwise."""
    # first the pixels, then the group axis of (B, C, 4, H, W)
    turned = rotate(y, r)
    return torch.roll(turned, shifts=r, dims=2)
