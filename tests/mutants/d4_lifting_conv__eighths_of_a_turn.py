# %% [markdown] mistake="takes the eight orientations for eight turns by 45 degrees, without mirror images"

# %% answer="d4-lifting-conv"
import math


class D4LiftingConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def turned(self, angle):
        c, s = math.cos(angle), math.sin(angle)
        theta = torch.tensor([[c, -s, 0.0], [s, c, 0.0]], dtype=self.weight.dtype, device=self.weight.device)
        theta = theta.expand(self.out_channels, 2, 3)
        grid = F.affine_grid(theta, list(self.weight.shape), align_corners=False)
        return F.grid_sample(self.weight, grid, align_corners=False)

    def build_filter(self):
        # eight orientations: every 360 / 8 = 45 degrees
        bank = torch.stack([self.turned(2 * math.pi * i / 8) for i in range(8)], dim=1)
        bias = None if self.bias is None else self.bias[:, None].expand(-1, 8)
        return bank, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(x, bank.flatten(0, 1), bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 8))
