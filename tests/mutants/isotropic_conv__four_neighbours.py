# %% [markdown] mistake="takes the four nearest neighbours for the ring and forgets the corners"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        w = self.weight
        out_channels, in_channels, _ = w.shape
        filt = w.new_zeros(out_channels, in_channels, 3, 3)
        filt[:, :, 1, 1] = w[:, :, 0]
        for dy, dx in [(-1, 0), (1, 0), (0, -1), (0, 1)]:
            filt[:, :, 1 + dy, 1 + dx] = w[:, :, 1]
        return filt

    def forward(self, x):
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
