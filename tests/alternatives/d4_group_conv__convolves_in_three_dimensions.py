# %% [markdown] start="model"
# For each of the eight elements one Conv3d whose kernel is as deep as the group.

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.padding = padding
        scale = (2 / (in_channels * 8 * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = [transform_p4m(self.weight, divmod(h, 4)) for h in range(8)]
        return torch.stack(bank, 1), None if self.bias is None else self.bias.unsqueeze(-1).tile(8)

    def forward(self, y):
        bank, bias = self.build_filter()
        p = self.padding
        z = torch.cat([F.conv3d(y, w, padding=(0, p, p)) for w in bank.unbind(1)], 2)
        return z if bias is None else z + bias[None, :, :, None, None]
