# %% [markdown] mistake="fills its filter from .data, so that no gradient reaches the weights"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.zeros(*self.weight.shape[:2], 3, 3, dtype=self.weight.dtype)
        bank[...] = self.weight.data[..., 1, None, None]
        bank[..., 1, 1] = self.weight.data[..., 0]
        return bank

    def forward(self, x):
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
