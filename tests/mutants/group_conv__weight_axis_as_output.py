# %% [markdown] mistake="takes the weight's group axis for the output's orientation and uses one slice for all input orientations"

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 4 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 4, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        out, inp, n, k, _ = self.weight.shape
        bank = self.weight.new_empty((out, n, inp, n, k, k))
        for s in range(n):
            # the filter of orientation s, turned to stand at s; every input orientation is looked at with it
            turned = rotate(self.weight[:, :, s], s)
            bank[:, s] = turned.unsqueeze(2)
        if self.bias is None:
            return bank, None
        return bank, self.bias.repeat_interleave(n).view(out, n)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 4))
