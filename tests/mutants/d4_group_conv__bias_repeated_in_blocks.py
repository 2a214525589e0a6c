# %% [markdown] mistake="repeats the whole bias vector eight times and reshapes, which mixes the channels' biases"

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 8 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        group = [(f, r) for f in range(2) for r in range(4)]
        bank = torch.cat([transform_p4m(self.weight, g).unsqueeze(1) for g in group], dim=1)
        if self.bias is not None:
            bias = self.bias.repeat(8).reshape(self.out_channels, 8)
        else:
            bias = None
        return bank, bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 8))
