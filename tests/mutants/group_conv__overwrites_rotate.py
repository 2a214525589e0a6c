# %% [markdown] mistake="defines rotate anew, and the other way round"

# %% answer="group-conv"
def rotate(x, r):
    return torch.rot90(x, -r, (-2, -1))


class GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.stack([rotate(self.weight, s).roll(s, -3) for s in range(4)], dim=1)
        return bank, None if self.bias is None else self.bias[:, None].expand(-1, 4)

    def forward(self, y):
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
