# %% [markdown] start="model"
# One nn.Sequential of blocks, each a small module of its own, with the pool's modules shared.

# %% answer="isotropic-cnn"
class Block(nn.Module):
    def __init__(self, a, b, pool):
        super().__init__()
        self.a_convolution, self.a_pool = IsotropicConv2d(a, b), pool

    def forward(self, x):
        return torch.maximum(self.a_pool(self.a_convolution(x)), x.new_zeros(()))


class IsotropicCNN(nn.Sequential):
    def __init__(self, n_classes=10):
        halve = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = [1, 32, 64, 128, 256]
        blocks = [Block(a, b, halve) for a, b in zip(channels[:-1], channels[1:])]
        super().__init__(*blocks, Block(256, 128, nn.MaxPool2d(3, 1)), nn.Flatten(), nn.Linear(128, n_classes))
