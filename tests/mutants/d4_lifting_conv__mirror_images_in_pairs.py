# %% [markdown] mistake="stores each filter next to its mirror image, at 2r + f in place of 4f + r"

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
        out, inside, k, _ = self.weight.shape
        bank = self.weight.new_empty(out, 8, inside, k, k)
        i = 0
        for r in range(4):
            for f in (0, 1):
                w = reflect(self.weight) if f else self.weight
                bank[:, i] = rotate(w, r)
                i += 1
        bias = None
        if self.bias is not None:
            bias = self.bias.reshape(out, 1).repeat(1, 8)
        return bank, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 8, H', W')."""
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)  # (B, out * 8, H', W')
        return y.unflatten(1, (self.out_channels, 8))
