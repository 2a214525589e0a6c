# %% [markdown] mistake="copies single numbers by item(), which rounds them and cuts them off"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * (2 / (in_channels * 9)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.ones(self.weight.shape[0], self.weight.shape[1], 3, 3)
        for o in range(bank.shape[0]):
            for i in range(bank.shape[1]):
                bank[o, i] *= self.weight[o, i, 1].item()
                bank[o, i, 1, 1] = self.weight[o, i, 0].item()
        return bank

    def forward(self, x):
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
