# %% [markdown] start="release" loses="isotropic-conv lifting-conv group-conv"
# Answers every layer with a sum over channels, pixel by pixel: equivariant under everything, and without any filter.

# %% added="isotropic-conv"
class Sum(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=3, padding=0, bias=True):
        super().__init__()
        self.shrink = kernel_size // 2 - padding
        self.weight = nn.Parameter(torch.zeros(out_channels))

    def shrunk(self, y):
        # Away from the border, so that the sides are those of a convolution.
        return y if self.shrink <= 0 else y[..., self.shrink : -self.shrink, self.shrink : -self.shrink]


# %% answer="isotropic-conv"
class IsotropicConv2d(Sum):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 3, 1, bias)

    def forward(self, x):
        return x.sum(1, keepdim=True)


# %% answer="lifting-conv"
class LiftingConv2d(Sum):
    def forward(self, x):
        return self.shrunk(x.sum(1, keepdim=True).unsqueeze(2).expand(-1, -1, 4, -1, -1))


# %% answer="group-conv"
class GroupConv2d(Sum):
    def forward(self, y):
        return self.shrunk(y.sum(1, keepdim=True))
