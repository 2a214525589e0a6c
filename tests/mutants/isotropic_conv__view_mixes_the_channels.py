# %% [markdown] mistake="stacks the nine pixels on the first axis and views the result as a bank, which mixes pixels and channels"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    """A 3x3 convolution, padding 1, whose filters have one value in the centre and one on the ring around it."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        # He initialisation. The ring's eight pixels are much alike and their contributions add up, so its value starts eight times
        # smaller than the centre's.
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> torch.Tensor:
        """Return the filter bank, (out_channels, in_channels, 3, 3)."""
        out_channels, in_channels, _ = self.weight.shape
        centre, ring = self.weight[..., 0], self.weight[..., 1]
        pixels = torch.stack(4 * [ring] + [centre] + 4 * [ring])
        return pixels.view(out_channels, in_channels, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W)."""
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
