# %% [markdown] mistake="makes the mirrored half from the filter turned three times, so that it is one turn off"

# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        fan_in = in_channels * 8 * kernel_size**2
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        turn, mirror = (0, 1), (1, 0)
        psi = self.weight
        orbit = [psi]
        # R R R, then F, then R R R: seven steps through all eight elements
        for step in (turn, turn, turn, mirror, turn, turn, turn):
            psi = transform_p4m(psi, step)
            orbit.append(psi)
        bank = torch.stack(orbit, dim=1)
        bias = None if self.bias is None else self.bias.view(-1, 1).repeat(1, 8)
        return bank, bias

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        bank, bias = self.build_filter()
        bank = bank.flatten(2, 3).flatten(0, 1)
        bias = None if bias is None else bias.flatten()
        y = F.conv2d(y.flatten(1, 2), bank, bias, padding=self.padding)
        return y.unflatten(1, (self.out_channels, 8))
