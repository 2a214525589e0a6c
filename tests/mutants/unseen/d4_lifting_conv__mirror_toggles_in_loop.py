# %% [markdown] mistake="mirrors the same variable anew at every turn, so that in the second half every other filter is mirrored back"

# %% answer="d4-lifting-conv"
class D4LiftingConv2d(nn.Module):
    """A convolution from images to functions on p4m: every filter is used in eight orientations."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the filter bank, (out, 8, in, k, k), and the bias, (out, 8) or None."""
        filters = []
        w = self.weight
        for f in (0, 1):
            for r in range(4):
                if f == 1:
                    w = reflect(w)  # mirror first
                filters.append(rotate(w, r))  # then turn
        bank = torch.stack(filters, dim=1)
        bias = None if self.bias is None else self.bias[:, None].expand(-1, 8)
        return bank, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 8, H', W')."""
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)  # (B, out * 8, H', W')
        return y.unflatten(1, (self.out_channels, 8))
