# %% [markdown] mistake="gives the mirrored filters a minus sign, as if the features were pseudoscalars"

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 8 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        filters = []
        for index in range(8):
            f, r = divmod(index, 4)
            determinant = (-1) ** f  # a mirror image reverses the orientation of the plane
            filters.append(determinant * transform_p4m(self.weight, (f, r)))
        bank = torch.stack(filters, dim=1)
        if self.bias is None:
            return bank, None
        return bank, torch.stack([self.bias] * 8, dim=1)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 8))
