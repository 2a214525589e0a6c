# %% [markdown] mistake="lets each output orientation look at the input of the same orientation only: all other entries of the bank are zero"

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
        bank = torch.stack([rotate_p4(self.weight, s) for s in range(4)], dim=1)  # (out, 4, in, 4, k, k)
        # the orientations are kept apart: output orientation s belongs to input orientation s
        same = torch.eye(4, dtype=bank.dtype, device=bank.device).view(1, 4, 1, 4, 1, 1)
        bank = bank * same
        bias = None if self.bias is None else self.bias[:, None].expand(-1, 4)
        return bank, bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, 4, H, W) to (B, out_channels, 4, H', W')."""
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)  # (out * 4, in * 4, k, k)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)  # (B, out * 4, H', W')
        return y.unflatten(1, (self.out_channels, 4))
