# %% [markdown] start="model" without="c4cnn isotropic-cnn c4cnn-bn d4cnn"
# The pixels turn the right way, the channels are passed round the wrong way.

# %% answer="rotate-p4"
def rotate_p4(y, r):
    return torch.roll(rotate(y, r), -r, dims=-3)
