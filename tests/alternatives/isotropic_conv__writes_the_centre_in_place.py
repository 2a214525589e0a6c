# %% [markdown] start="model"
# Every pixel starts as the ring's value, then the centre is overwritten; the bias is added by hand.

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__()
        weight = torch.empty(out_channels, in_channels, 2)
        nn.init.normal_(weight[..., 0], std=in_channels**-0.5)
        nn.init.normal_(weight[..., 1], std=in_channels**-0.5 / 8)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = self.weight[:, :, 1, None, None].repeat(1, 1, 3, 3)
        bank[:, :, 1, 1] = self.weight[:, :, 0]
        return bank

    def forward(self, x):
        y = F.conv2d(x, self.build_filter(), padding="same")
        if self.bias is not None:
            y += self.bias.view(-1, 1, 1)
        return y
