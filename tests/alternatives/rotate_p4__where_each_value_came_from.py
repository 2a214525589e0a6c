# %% [markdown] start="model"
# The definition, value by value: a table says where each one came from, and a single look-up moves them all.

# %% answer="rotate-p4"
def rotate_p4(y, r):
    height, width = y.shape[-2:]
    s, row, column = torch.meshgrid(torch.arange(4), torch.arange(height), torch.arange(width), indexing="ij")
    s = (s - r) % 4
    for _ in range(r):  # a quarter turn clockwise takes each place back: (row, column) to (column, last - row)
        row, column, height, width = column, width - 1 - row, width, height
    came_from = ((s * y.shape[-2] + row) * y.shape[-1] + column).to(y.device)
    return y.flatten(-3)[..., came_from.flatten()].unflatten(-1, came_from.shape)
