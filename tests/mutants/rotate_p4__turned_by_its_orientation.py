# %% [markdown] mistake="turns each map by its own orientation s, instead of all of them by r"

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    maps = []
    for s in range(4):
        came_from = y[..., (s - r) % 4, :, :]
        maps.append(rotate(came_from, s))
    return torch.stack(maps, dim=-3)
