# %% [markdown] mistake="shares the ring's value out among the eight neighbours, w1 / 8 each"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> torch.Tensor:
        middle = self.weight.new_zeros(3, 3)
        middle[1, 1] = 1
        ring = 1 - middle
        ring = ring / ring.sum()  # the mean over the ring
        w0 = self.weight[:, :, 0, None, None]
        w1 = self.weight[:, :, 1, None, None]
        return w0 * middle + w1 * ring

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
