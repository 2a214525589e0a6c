# %% [markdown] start="model" without="c4cnn c4cnn-bn d4cnn"
# Only the four nearest neighbours get the ring's value; the corners stay zero. The network keeps its architecture's points.

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = self.weight.new_zeros(*self.weight.shape[:2], 3, 3)
        bank[:, :, 1, 1] = self.weight[:, :, 0]
        for row, column in ((0, 1), (1, 0), (1, 2), (2, 1)):
            bank[:, :, row, column] = self.weight[:, :, 1]
        return bank

    def forward(self, x):
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
