# %% [markdown] start="model"
# To transform the filter is to transform the image back, convolve, and transform the answer.

# %% answer="d4-lifting-conv"
class D4LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.padding = padding
        weight = torch.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(weight * (2 / (in_channels * kernel_size**2)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = [rotate(w, r) for w in (self.weight, reflect(self.weight)) for r in range(4)]
        return torch.stack(bank, 1), None if self.bias is None else self.bias.repeat(8, 1).T

    def forward(self, x):
        answers = []
        for f in (False, True):
            for r in range(4):
                back = rotate(x, -r % 4)
                y = F.conv2d(reflect(back) if f else back, self.weight, self.bias, padding=self.padding)
                answers.append(rotate(reflect(y) if f else y, r))
        return torch.stack(answers, 2)
