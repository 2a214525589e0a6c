# %% [markdown] start="model" without="c4cnn isotropic-cnn c4cnn-bn d4cnn"
# The mirror image swaps the halves of the group axis but keeps their order.

# %% answer="d4-action"
def transform_p4m(y, g):
    f, r = g
    if f:
        y = reflect(y).roll(4, -3)
    turns, mirrored = rotate(y, r).split(4, dim=-3)
    return torch.cat([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-3)
