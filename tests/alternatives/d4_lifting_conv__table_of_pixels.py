# %% [markdown] start="model"
# The eight filters by a table of pixels; the image's patches and the filters meet in an einsum.

# %% answer="d4-lifting-conv"
class D4LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.padding = padding
        stored = torch.randn(kernel_size, kernel_size, in_channels, out_channels)
        self.weight = nn.Parameter((stored * (2 / (in_channels * kernel_size**2)) ** 0.5).permute(3, 2, 0, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        numbers = torch.arange(kernel_size**2).reshape(kernel_size, -1)
        table = [torch.rot90(n, r) for n in (numbers, numbers.fliplr()) for r in range(4)]
        self.register_buffer("table", torch.stack(table), persistent=False)

    def build_filter(self):
        bank = torch.take_along_dim(
            self.weight.reshape(*self.weight.shape[:2], 1, -1), self.table.flatten(1)[None, None], -1
        )
        bias = None if self.bias is None else self.bias.view(-1, 1).expand(-1, 8)
        return bank.unflatten(-1, self.table.shape[1:]).transpose(1, 2), bias

    def forward(self, x):
        bank, bias = self.build_filter()
        k = bank.shape[-1]
        patches = F.pad(x, [self.padding] * 4).unfold(2, k, 1).unfold(3, k, 1)  # (B, in, H', W', k, k)
        y = torch.einsum("oguij,buhwij->boghw", bank, patches)
        return y if bias is None else y + bias[..., None, None]
