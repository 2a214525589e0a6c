# %% [markdown] mistake="takes transposing along the two diagonals for the odd turns, but these are mirror images, not quarter turns"

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
        once = w.transpose(-2, -1).flip(-2, -1)  # the right edge comes to the top
        twice = w.flip(-2, -1)
        thrice = w.transpose(-2, -1)  # the left edge comes to the top
        bank = torch.stack([w, once, twice, thrice], dim=1)
        bias = None if self.bias is None else self.bias[:, None].expand(-1, 4)
        return bank, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 4, H', W')."""
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)  # (B, out * 4, H', W')
        return y.unflatten(1, (self.out_channels, 4))
