# %% [markdown] start="model"
# The roll is a permutation matrix that acts on the group axis, by einsum.

# %% answer="rotate-p4"
def rotate_p4(y: torch.Tensor, r: int) -> torch.Tensor:
    step = torch.zeros(4, 4, dtype=y.dtype, device=y.device)
    for s in range(4):
        step[(s + 1) % 4, s] = 1
    roll = torch.linalg.matrix_power(step, r)
    return torch.einsum("st,...thw->...shw", roll, torch.rot90(y, k=r, dims=(-2, -1)))
