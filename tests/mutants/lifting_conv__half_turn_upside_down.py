# %% [markdown] mistake="makes the half turn by flipping the rows only, which is a mirror image"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    """A convolution from images to functions on p4: every filter is used in four orientations."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the filter bank, (out, 4, in, k, k), and the bias, (out, 4) or None."""
        w = self.weight
        quarter = w.transpose(-2, -1).flip(-2)
        half = w.flip(-2)
        three_quarters = w.transpose(-2, -1).flip(-1)
        bank = torch.stack([w, quarter, half, three_quarters], dim=1)
        if self.bias is None:
            return bank, None
        return bank, self.bias.unsqueeze(1).repeat(1, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 4, H', W')."""
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)  # (B, out * 4, H', W')
        return y.unflatten(1, (self.out_channels, 4))
