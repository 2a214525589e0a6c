# %% [markdown] mistake="turns the output of one convolution in place of its filters"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.stack([rotate(self.weight, s) for s in range(4)], dim=1)
        return bank, None if self.bias is None else self.bias[:, None].expand(-1, 4)

    def forward(self, x):
        y = F.conv2d(x, self.weight, self.bias, padding=self.padding)
        return torch.stack([rotate(y, s) for s in range(4)], dim=2)
