# %% [markdown] mistake="works for five axes only"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    B, C, G, H, W = y.shape
    y = torch.rot90(y, r, dims=(3, 4))
    index = [(s - r) % 4 for s in range(4)]
    return y[:, :, index]
