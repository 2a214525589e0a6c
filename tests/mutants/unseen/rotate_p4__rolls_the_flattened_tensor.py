# %% [markdown] mistake="rolls the flattened tensor on by r maps, so that the last orientations of a channel run into the next channel"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    """Turn a function on p4, (..., 4, H, W), by r quarter turns counter-clockwise."""
    turned = rotate(y, r)
    pixels = turned.shape[-2] * turned.shape[-1]  # the numbers of one orientation
    return torch.roll(turned, r * pixels)
