# %% [markdown] start="model"
# A function on p4 is a small volume: for each orientation one Conv3d whose kernel is as deep as the group.

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.padding = (0, padding, padding)
        scale = (2 / (in_channels * 4 * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def turned(self):
        w = self.weight
        yield w
        for _ in range(3):
            w = torch.rot90(w, 1, (-2, -1)).roll(1, 2)
            yield w

    def build_filter(self):
        return torch.stack(list(self.turned()), 1), self.bias if self.bias is None else self.bias[:, None].expand(-1, 4)

    def forward(self, y):
        return torch.cat([F.conv3d(y, w, self.bias, padding=self.padding) for w in self.turned()], dim=2)
