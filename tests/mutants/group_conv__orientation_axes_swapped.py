# %% [markdown] mistake="puts the input's orientation where the output's belongs, and the output's where the input's belongs"

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        versions = [torch.roll(rotate(self.weight, s), shifts=s, dims=2) for s in range(4)]
        stacked = torch.stack(versions)  # (4, out, in, 4, k, k)
        bank = stacked.permute(1, 3, 2, 0, 4, 5)  # (out, 4, in, 4, k, k)
        bias = None if self.bias is None else self.bias.unsqueeze(-1).expand(-1, 4)
        return bank, bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
