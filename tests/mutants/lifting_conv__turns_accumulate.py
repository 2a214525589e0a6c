# %% [markdown] mistake="turns the filter that is turned already by s more: orientations 0, 1, 3, 2"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        psi = self.weight
        copies = []
        for s in range(4):
            psi = rotate(psi, s)
            copies.append(psi.unsqueeze(1))
        filters = torch.cat(copies, dim=1)
        if self.bias is None:
            return filters, None
        return filters, self.bias.unsqueeze(1).repeat(1, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
