# %% [markdown] mistake="writes the centre into an expanded tensor, whose nine pixels share one place in memory, so that all nine become the centre's value"

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
        centre, ring = self.weight[..., 0], self.weight[..., 1]
        # clone, or PyTorch complains about changing a parameter in place
        bank = ring.clone()[:, :, None, None].expand(-1, -1, 3, 3)
        bank[:, :, 1, 1] = centre
        return bank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W)."""
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
