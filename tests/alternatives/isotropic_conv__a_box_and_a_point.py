# %% [markdown] start="model"
# No filter is used to convolve: the ring is a sum over boxes less the centre, mixed over channels by matrix products.
# The weights lie in memory in another order than their shape says.

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__()
        stored = torch.randn(2, in_channels, out_channels) / in_channels**0.5
        stored[1] /= 8
        self.weight = nn.Parameter(stored.permute(2, 1, 0))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        centre = F.pad(self.weight[..., :1, None], (1, 1, 1, 1))
        box = self.weight[..., 1:, None].expand(-1, -1, 3, 3)
        return centre + box - F.pad(self.weight[..., 1:, None], (1, 1, 1, 1))

    def forward(self, x):
        w0, w1 = self.weight.unbind(-1)
        ring = 9 * F.avg_pool2d(x, 3, stride=1, padding=1) - x
        y = torch.einsum("oi,bihw->bohw", w0, x) + torch.einsum("oi,bihw->bohw", w1, ring)
        return y if self.bias is None else y + self.bias[:, None, None]
