# %% [markdown] start="model"
# The roll is a stack of four circulant matrices, kept as a buffer; patches, filters and rolls meet in einsums, in
# double precision inside.

# %% answer="group-conv"
class GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.k, self.p = kernel_size, padding
        fan_in = in_channels * 4 * kernel_size**2
        # stored with the group axis first
        stored = torch.randn(4, out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5
        self.weight = nn.Parameter(stored.movedim(0, 2))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.register_buffer("circulants", torch.stack([torch.eye(4).roll(s, 0) for s in range(4)]))

    def build_filter(self):
        turned = torch.stack([rotate(self.weight, s) for s in range(4)])
        bank = torch.einsum("stu,soiuhw->osithw", self.circulants.to(turned.dtype), turned)
        return bank, None if self.bias is None else torch.outer(self.bias, self.bias.new_ones(4))

    def forward(self, y):
        bank, bias = self.build_filter()
        size = [n + 2 * self.p - self.k + 1 for n in y.shape[-2:]]
        patches = F.unfold(y.double().flatten(1, 2), self.k, padding=self.p)
        z = torch.einsum("osc,bcl->bosl", bank.double().flatten(2), patches).unflatten(-1, size)
        return (z if bias is None else z + bias[..., None, None]).to(y.dtype)
