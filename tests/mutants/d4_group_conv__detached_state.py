# %% [markdown] mistake="makes its filters from a copy of the weights that the optimiser does not know"

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 8 * kernel_size**2
        weight = torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * (2 / fan_in) ** 0.5
        self.weight = nn.Parameter(weight)
        self.w = weight
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.stack([transform_p4m(self.w, (f, r)) for f in (0, 1) for r in range(4)], dim=1)
        return bank, None if self.bias is None else self.bias[:, None].expand(-1, 8)

    def forward(self, y):
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 8))
