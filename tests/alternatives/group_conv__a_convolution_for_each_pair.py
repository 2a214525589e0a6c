# %% [markdown] start="model"
# Sixteen small convolutions, one for each pair of orientations, added up; the bank is written in place, tile by tile.

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.padding = padding
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 4, kernel_size, kernel_size))
        nn.init.normal_(self.weight, std=(2 / (in_channels * 4 * kernel_size**2)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        out, inp, _, k, _ = self.weight.shape
        bank = torch.zeros(out, 4, inp, 4, k, k, dtype=self.weight.dtype, device=self.weight.device)
        for s in range(4):
            for t in range(4):
                bank[:, s, :, (t + s) % 4] = rotate(self.weight[:, :, t], s)
        return bank, None if self.bias is None else self.bias.reshape(-1, 1).repeat(1, 4)

    def forward(self, y):
        bank, bias = self.build_filter()
        result = []
        for s in range(4):
            total = 0
            for t in range(4):
                total = total + F.conv2d(y[:, :, t], bank[:, s, :, t], padding=self.padding)
            if bias is not None:
                total = total + bias[None, :, s, None, None]
            result.append(total)
        return torch.stack(result, dim=2)
