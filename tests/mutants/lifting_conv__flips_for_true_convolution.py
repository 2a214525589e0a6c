# %% [markdown] mistake="flips the filter in both axes first, because a convolution, unlike a cross-correlation, does so"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        # conv2d correlates; a real convolution has psi(p - q) in it, so flip psi first
        kernel = torch.flip(self.weight, dims=(2, 3))
        quarter = torch.rot90(kernel, 1, dims=(2, 3))
        half = torch.rot90(kernel, 2, dims=(2, 3))
        three = torch.rot90(kernel, 3, dims=(2, 3))
        bank = torch.stack((kernel, quarter, half, three), dim=1)
        return bank, (self.bias.view(-1, 1).expand(-1, 4) if self.bias is not None else None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
