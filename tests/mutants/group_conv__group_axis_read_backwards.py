# %% [markdown] mistake="takes the weight at s - t, as in a convolution over the group, instead of at t - s"

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        # (y * psi)(g) = sum over h of y(h) psi(h^-1 g): orientation s sees orientation t through t^-1 s
        rows = []
        for s in range(4):
            row = []
            for t in range(4):
                difference = (s - t) % 4
                row.append(rotate(self.weight[:, :, difference], s))
            rows.append(torch.stack(row, dim=2))
        bank = torch.stack(rows, dim=1)
        bias = None
        if self.bias is not None:
            bias = self.bias[:, None].repeat(1, 4)
        return bank, bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
