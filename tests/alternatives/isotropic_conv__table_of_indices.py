# %% [markdown] start="model"
# One look-up says which of the two weights stands where; the given forward stays.

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        # He initialisation: the variance of an output is that of an input, and a ring counts as one pixel.
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        ring = torch.ones(3, 3, dtype=torch.long)
        ring[1, 1] = 0
        self.register_buffer("which", ring, persistent=False)

    def build_filter(self) -> torch.Tensor:
        return self.weight[:, :, self.which]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
