# %% [markdown] mistake="convolves the image turned back by s with one filter, but does not turn the answer forward again"

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        out, inp, k, _ = self.weight.shape
        bank = self.weight.new_zeros(out, 4, inp, k, k)
        for s in range(4):
            bank[:, s] = rotate(self.weight, s)
        bias = self.bias
        if bias is not None:
            bias = torch.stack((bias, bias, bias, bias), dim=-1)
        return bank, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Turning the filter by s is the same as turning the image by -s, and needs no big filter bank.
        answers = []
        for s in range(4):
            answers.append(F.conv2d(rotate(x, -s), self.weight, self.bias, padding=self.padding))
        return torch.stack(answers, dim=2)
