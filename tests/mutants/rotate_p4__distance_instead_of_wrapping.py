# %% [markdown] mistake="takes the orientation |s - r| as the source in place of s - r counted around the clock"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    turned = rotate(y, r)
    maps = []
    for s in range(4):
        source = abs(s - r)  # an orientation cannot be negative
        maps.append(turned[..., source, :, :])
    return torch.stack(maps, dim=-3)
