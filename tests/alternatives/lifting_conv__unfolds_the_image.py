# %% [markdown] start="model"
# Patches times filters by einsum, in double precision inside; the last filter bank is kept to be looked at.

# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        scale = (2 / (in_channels * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(scale * torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        if bias:
            self.bias = nn.Parameter(torch.zeros(out_channels))
        else:
            self.register_parameter("bias", None)

    def build_filter(self):
        self.bank = self.weight.new_empty(self.weight.shape[0], 4, *self.weight.shape[1:])
        for s in range(4):
            self.bank[:, s] = torch.rot90(self.weight, s, (2, 3))
        return self.bank, None if self.bias is None else self.bias.unsqueeze(1) * self.bias.new_ones(4)

    def forward(self, x):
        bank, bias = self.build_filter()
        k, p = self.kernel_size, self.padding
        patches = F.unfold(x.double(), k, padding=p).unflatten(1, (-1, k * k))
        y = torch.einsum("osiq,biql->bosl", bank.double().flatten(3), patches)
        y = y.unflatten(-1, (x.shape[-2] + 2 * p - k + 1, x.shape[-1] + 2 * p - k + 1))
        if bias is not None:
            y = y + bias[:, :, None, None]
        return y.to(x.dtype)
