# %% [markdown] mistake="asks LiftingConv2d for both halves, with weights of its own that nobody sees"

# %% answer="d4-lifting-conv"
class D4LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.turns = LiftingConv2d(in_channels, out_channels, kernel_size, padding, bias)
        self.mirrored = LiftingConv2d(in_channels, out_channels, kernel_size, padding, bias)

    def build_filter(self):
        (a, b), (c, d) = self.turns.build_filter(), self.mirrored.build_filter()
        return torch.cat([a, reflect(c)], 1), None if b is None else torch.cat([b, d], 1)

    def forward(self, x):
        return torch.cat([self.turns(x), self.mirrored(reflect(x))], dim=2)
