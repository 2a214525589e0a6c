# %% [markdown] mistake="gets the last two orientations from the first two by turning only the pixels by 180 degrees, without the roll by two"

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    """A convolution from functions on p4 to functions on p4."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the filter bank, (out, 4, in, 4, k, k), and the bias, (out, 4) or None."""
        bias = self.bias if self.bias is None else torch.stack([self.bias] * 4, dim=1)
        first = torch.stack([self.weight, rotate_p4(self.weight, 1)], dim=1)
        # orientations 2 and 3 are half a turn away from 0 and 1, and a half turn is two flips
        second = first.flip(-1, -2)
        return torch.cat([first, second], dim=1), bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, 4, H, W) to (B, out_channels, 4, H', W')."""
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)  # (out * 4, in * 4, k, k)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)  # (B, out * 4, H', W')
        return y.unflatten(1, (self.out_channels, 4))
