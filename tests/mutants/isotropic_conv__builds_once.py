# %% [markdown] mistake="builds its filter once, in the constructor"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        mask = torch.zeros(3, 3)
        mask[1, 1] = 1
        self.register_buffer(
            "filt",
            (self.weight[..., 0, None, None] * mask + self.weight[..., 1, None, None] * (1 - mask)).detach(),
        )

    def build_filter(self):
        return self.filt

    def forward(self, x):
        return F.conv2d(x, self.filt, self.bias, padding=1)
