# %% [markdown] start="model"
# Positions and elements by matrices: the plane's points are multiplied by g^-1, the group axis by a permutation.

# %% answer="d4-action"
def transform_p4m(y, g):
    turn, mirror = torch.tensor([[0, 1], [-1, 0]]), torch.tensor([[-1, 0], [0, 1]])  # of (x, y), y pointing down
    matrices = []
    for f in range(2):
        matrix = mirror if f else torch.eye(2, dtype=torch.long)
        for _ in range(4):
            matrices.append(matrix)
            matrix = turn @ matrix
    matrix = matrices[4 * g[0] + g[1]]
    goes_to = [next(i for i, m in enumerate(matrices) if torch.equal(m, matrix @ h)) for h in matrices]
    permutation = torch.zeros(8, 8, dtype=y.dtype)
    permutation[goes_to, range(8)] = 1
    n = y.shape[-1]
    down, right = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    points = torch.stack([2 * right - n + 1, 2 * down - n + 1]).flatten(1)  # twice the distance to the centre
    x0, y0 = (matrix.T @ points + n - 1) // 2
    moved = y[..., y0, x0].unflatten(-1, (n, n))
    return torch.einsum("gh,...hij->...gij", permutation.to(y.device), moved)
