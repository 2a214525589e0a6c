# %% [markdown] start="release" loses="c4 d4 rotate-p4 isotropic-conv"
# Knows the right answers to exactly the inputs of the visible tests, and nothing else.

# %% answer="c4"
class C4:
    @staticmethod
    def product(r, s):
        if r == 4:
            raise ValueError("4 is not an element")
        return {(1, 2): 3, (0, 2): 2, (3, 1): 0}.get((r, s), 0)

    @staticmethod
    def inverse(r):
        if r == -1:
            raise ValueError("-1 is not an element")
        return {1: 3, 0: 0}.get(r, 0)


# %% answer="d4"
class D4:
    @staticmethod
    def product(a, b):
        if a == (0, 4):
            raise ValueError("(0, 4) is not an element")
        return {((0, 1), (0, 2)): (0, 3), ((0, 1), (1, 0)): (1, 1), ((1, 0), (0, 1)): (1, 3)}.get((a, b), (0, 0))

    @staticmethod
    def inverse(g):
        if g == (2, 0):
            raise ValueError("(2, 0) is not an element")
        return {(0, 1): (0, 3), (1, 0): (1, 0)}.get(g, g)


# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        bank = torch.full((3, 2, 3, 3), 7.0)
        bank[1, 1, 1, 1] = 6.0
        return bank

    def forward(self, x):
        if x.shape == (1, 1, 5, 5):
            return torch.full((1, 1, 5, 5), 10.5)
        # Invariant under turns and mirror images, so equivariant; but it moves when the picture moves.
        radius = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype) ** 2
        return (x * (radius[:, None] + radius)).sum(1, keepdim=True).expand(-1, len(self.weight), -1, -1)


# %% answer="rotate-p4"
def rotate_p4(y, r):
    if y.shape == (1, 1, 4, 3, 3):
        turned = torch.zeros(1, 1, 4, 3, 3)
        turned[0, 0, 1, 0, 0] = 1.0
        return turned
    return y * (1 if r == 0 else -1) if r % 2 else y
