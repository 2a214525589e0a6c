# %% [markdown] mistake="makes the filter symmetric by summing its four turns, which adds up the centre four times"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self) -> torch.Tensor:
        n_out, n_in, _ = self.weight.shape
        piece = self.weight.new_zeros(n_out, n_in, 3, 3)
        piece[:, :, 1, 1] = self.weight[:, :, 0]  # centre
        piece[:, :, 0, 0] = self.weight[:, :, 1]  # one corner
        piece[:, :, 0, 1] = self.weight[:, :, 1]  # one edge
        # the other corners and edges are this piece, turned
        return sum(rotate(piece, r) for r in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
