# %% [markdown] mistake="adds up over output orientations in place of input orientations"

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.stack([rotate_p4(self.weight, s) for s in range(4)], dim=1)
        return bank, None if self.bias is None else self.bias[:, None].expand(-1, 4)

    def forward(self, y):
        bank, bias = self.build_filter()
        out = []
        for t in range(4):
            # (out, in, 4, k, k) against the four orientations of the input
            w = bank[:, :, :, t].transpose(1, 2)
            out.append(F.conv2d(y.flatten(1, 2), w.flatten(1, 2), padding=self.padding))
        z = torch.stack(out, dim=2)
        return z if bias is None else z + bias[:, :, None, None]
