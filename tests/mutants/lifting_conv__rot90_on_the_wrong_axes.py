# %% [markdown] mistake="turns with the axes in the wrong order, and so clockwise"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.stack([self.weight.rot90(s, (-1, -2)) for s in range(4)], dim=1)
        bias = self.bias
        if bias is not None:
            bias = bias.unsqueeze(1).repeat(1, 4)
        return bank, bias

    def forward(self, x):
        bank, bias = self.build_filter()
        if bias is not None:
            bias = bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
