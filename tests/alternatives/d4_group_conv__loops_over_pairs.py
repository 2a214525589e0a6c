# %% [markdown] start="model"
# The bank is written tile by tile with the product of D4: what stands at t goes to g t, and is transformed by g.

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.sizes = out_channels, in_channels, kernel_size, padding
        weight = torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size)
        self.weight = nn.Parameter(weight * (2 / weight[0].numel()) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        out, inp, k, _ = self.sizes
        bank = self.weight.new_zeros(out, 8, inp, 8, k, k)
        for g in range(8):
            f, r = divmod(g, 4)
            for t in range(8):
                f_gt, r_gt = D4.product((f, r), divmod(t, 4))
                tile = self.weight[:, :, t]
                bank[:, g, :, 4 * f_gt + r_gt] = rotate(reflect(tile) if f else tile, r)
        return bank, None if self.bias is None else self.bias[:, None] + self.bias.new_zeros(8)

    def forward(self, y):
        out, inp, k, padding = self.sizes
        bank, bias = self.build_filter()
        weight = bank.movedim(1, 0).reshape(8 * out, inp * 8, k, k)  # element by element
        z = F.conv2d(y.flatten(1, 2), weight, None if bias is None else bias.T.flatten(), padding=padding)
        return z.unflatten(1, (8, out)).transpose(1, 2)
