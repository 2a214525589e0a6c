# %% [markdown] start="model"
# To turn the filter is to turn the image back, convolve, and turn the answer: the filter bank is only shown.

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.pad = padding
        std = (2 / (in_channels * kernel_size * kernel_size)) ** 0.5
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size).normal_(0, std))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        four = tuple(rotate(self.weight, s) for s in range(4))
        return torch.stack(four, 1), None if self.bias is None else torch.stack((self.bias,) * 4, 1)

    def forward(self, x):
        answers = []
        for s in range(4):
            y = F.conv2d(rotate(x, (4 - s) % 4), self.weight, self.bias, padding=self.pad)
            answers.append(rotate(y, s))
        return torch.stack(answers, -3)
