# %% [markdown] mistake="takes axis -2 for the group axis"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    # first turn every orientation channel, then pass them round
    turned = rotate(y, r)
    return torch.roll(turned, shifts=r, dims=-2)
