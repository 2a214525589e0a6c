# %% [markdown] mistake="smooths the rings with Gaussian radial profiles, as steerable networks do"

# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        scale = torch.tensor([1.0, 1 / 8]) / in_channels**0.5
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.sigma = 0.6

    def build_filter(self) -> torch.Tensor:
        # Weiler & Cesa: a basis of Gaussian rings of radius 0 and 1, one coefficient for each
        grid = torch.arange(-1, 2, dtype=self.weight.dtype, device=self.weight.device)
        distance = (grid[:, None] ** 2 + grid[None, :] ** 2).sqrt()
        basis = torch.stack([torch.exp(-((distance - radius) ** 2) / (2 * self.sigma**2)) for radius in (0, 1)])
        return torch.einsum("oik,kxy->oixy", self.weight, basis)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.build_filter(), self.bias, padding=1)
