# %% [markdown] mistake="rolls f and r on the group axis each by itself, as if turns and mirror images commuted, so that the order within the halves is not reversed"

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    """A convolution from functions on p4m to functions on p4m."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 8 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the filter bank, (out, 8, in, 8, k, k), and the bias, (out, 8) or None."""
        w = self.weight.unflatten(2, (2, 4))  # (out, in, f, r, k, k)
        filters = []
        for f in (0, 1):
            for r in range(4):
                moved = w.roll((f, r), dims=(2, 3)).flatten(2, 3)  # the group axis
                filters.append(rotate(reflect(moved) if f else moved, r))  # the pixels
        bias = None if self.bias is None else self.bias[:, None].expand(-1, 8)
        return torch.stack(filters, dim=1), bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, 8, H, W) to (B, out_channels, 8, H', W')."""
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)  # (out * 8, in * 8, k, k)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)  # (B, out * 8, H', W')
        return y.unflatten(1, (self.out_channels, 8))
