# %% [markdown] start="model"
# The four filters by a table of pixels, found once by turning the numbers of the pixels; orientation by orientation in
# the channels of one convolution, and then put in order. The weights lie in memory with the channels last.

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        weight = torch.randn(out_channels, in_channels, kernel_size, kernel_size)
        weight = (weight * (2 / weight[0].numel()) ** 0.5).to(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.options = {"padding": padding}
        numbers = torch.arange(kernel_size**2).reshape(kernel_size, kernel_size)
        self.register_buffer("pixels", torch.stack([numbers.rot90(s) for s in range(4)]))

    def build_filter(self):
        bank = self.weight.flatten(2)[:, :, self.pixels].movedim(2, 1)
        return bank, (self.bias.repeat(4, 1).t() if self.bias is not None else None)

    def forward(self, x):
        bank, bias = self.build_filter()
        by_orientation = torch.cat(tuple(bank.transpose(0, 1)))
        y = F.conv2d(x, by_orientation, bias if bias is None else bias.t().flatten(), **self.options)
        return torch.stack(y.chunk(4, dim=1), dim=2)
