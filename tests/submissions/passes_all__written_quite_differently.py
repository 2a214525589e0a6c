# %% [markdown] start="model"
# Right answers by other means: tables, matrices, loops, einsum, index gymnastics, other attribute names, a functional style.

# %% answer="c4"
import numpy as np


class C4:
    """A multiplication table, filled from powers of the imaginary unit."""

    powers = (1, 1j, -1, -1j)

    @classmethod
    def _check(cls, *elements):
        for element in elements:
            if isinstance(element, bool) or not isinstance(element, int) or not 0 <= element < 4:
                raise ValueError(f"{element!r} is none of the four rotations")

    @staticmethod
    def product(r: int, s: int) -> int:
        C4._check(r, s)
        return C4.powers.index(C4.powers[r] * C4.powers[s])

    @staticmethod
    def inverse(r: int) -> int:
        C4._check(r)
        return C4.powers.index(C4.powers[r].conjugate())


# %% answer="d4"
class D4:
    """Every element is a 2x2 matrix; products are looked up among the matrices."""

    turn, mirror = np.array([[0, -1], [1, 0]]), np.array([[1, 0], [0, -1]])
    matrices = {}
    for f in range(2):
        for r in range(4):
            matrices[f, r] = np.linalg.matrix_power(turn, r) @ np.linalg.matrix_power(mirror, f)

    @staticmethod
    def _matrix(g):
        if g not in D4.matrices:
            raise ValueError(f"not an element of D4: {g}")
        return D4.matrices[g]

    @staticmethod
    def _find(matrix):
        return next(g for g, m in D4.matrices.items() if (m == matrix).all())

    @staticmethod
    def product(a, b):
        return D4._find(D4._matrix(a) @ D4._matrix(b))

    @staticmethod
    def inverse(g):
        return D4._find(D4._matrix(g).T)


# %% answer="isotropic-conv"
class IsotropicConv2d(nn.Module):
    """The filter is a sum of two fixed patterns; the convolution is done by unfolding the image."""

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(out_channels, in_channels, 2) / (in_channels * torch.tensor([1, 64])) ** 0.5
        )
        self.register_parameter("bias", nn.Parameter(torch.zeros(out_channels)) if bias else None)

    def build_filter(self):
        ring = self.weight.new_ones(3, 3)
        ring[1, 1] = 0
        patterns = torch.stack([1 - ring, ring])
        return torch.einsum("oip,phw->oihw", self.weight, patterns)

    def forward(self, x):
        return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), self.build_filter(), self.bias)


# %% answer="rotate-p4"
def rotate_p4(y, r):
    r = r % 4
    parts = y.unbind(-3)
    moved = [None] * 4
    for s, part in enumerate(parts):
        for _ in range(r):
            part = part.flip(-1).transpose(-1, -2)  # one counter-clockwise turn
        moved[(s + r) % 4] = part
    return torch.stack(moved, dim=-3)


# %% answer="lifting-conv"
class LiftingConv2d(nn.Module):
    """One convolution for each orientation."""

    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.pad = padding
        bound = (3 / (in_channels * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels, kernel_size, kernel_size).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        w = self.weight
        turned = w.transpose(-1, -2)
        bank = torch.stack([w, turned.flip(-2), w.flip(-1, -2), turned.flip(-1)], 1)
        return bank, None if self.bias is None else torch.stack([self.bias] * 4, 1)

    def forward(self, x):
        bank, bias = self.build_filter()
        answers = [F.conv2d(x, bank[:, s], None if bias is None else bias[:, s], padding=self.pad) for s in range(4)]
        return torch.stack(answers, dim=2)


# %% answer="group-conv"
class GroupConv2d(nn.Module):
    """The bank by an index table over the group and a turn of each tile."""

    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.shape = (out_channels, padding)
        bound = (3 / (4 * in_channels * kernel_size**2)) ** 0.5
        size = (out_channels, in_channels, 4, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        rows = []
        for s in range(4):
            table = [(t - s) % 4 for t in range(4)]
            rows.append(
                torch.rot90(self.weight.index_select(2, torch.tensor(table, device=self.weight.device)), s, (3, 4))
            )
        bias = self.bias.repeat_interleave(4).reshape(-1, 4) if self.bias is not None else None
        return torch.stack(rows, 1), bias

    def forward(self, y):
        out_channels, padding = self.shape
        bank, bias = self.build_filter()
        weight = bank.reshape(out_channels * 4, -1, *bank.shape[-2:])
        z = F.conv2d(y.reshape(y.shape[0], -1, *y.shape[-2:]), weight, padding=padding)
        z = z.reshape(z.shape[0], out_channels, 4, *z.shape[-2:])
        return z if bias is None else z + bias[:, :, None, None]


# %% answer="c4cnn"
class C4CNN(nn.Module):
    """Layers by name, pooling as functions, the ReLU before the pool (the two commute)."""

    def __init__(self, n_classes=10):
        super().__init__()
        self.head = nn.Linear(128, n_classes)
        self.lift = LiftingConv2d(1, 8, kernel_size=3, padding=1)
        self.g1 = GroupConv2d(8, 16, kernel_size=3, padding=1)
        self.g2 = GroupConv2d(16, 32, kernel_size=3, padding=1)
        self.g3 = GroupConv2d(32, 64, kernel_size=3, padding=1)
        self.g4 = GroupConv2d(64, 128, kernel_size=3, padding=1)

    def forward(self, x):
        for layer in (self.lift, self.g1, self.g2, self.g3):
            x = F.max_pool3d(F.relu(layer(x)), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        x = F.relu(self.g4(x)).amax(dim=(2, 3, 4))
        return self.head(x)


# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        widths = (1, 32, 64, 128, 256, 128)
        self.convolutions = nn.ModuleList(IsotropicConv2d(a, b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(128, n_classes)

    def forward(self, x):
        for convolution in self.convolutions[:-1]:
            x = F.max_pool2d(convolution(x), 3, 2, 1).relu()
        return self.out(self.convolutions[-1](x).amax((-1, -2)).relu())


# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    """The formula, step by step."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, y):
        def wide(v):
            return v.reshape(1, -1, 1, 1, 1)

        if self.training:
            mean = y.mean(dim=(0, 2, 3, 4))
            var = ((y - wide(mean)) ** 2).mean(dim=(0, 2, 3, 4))
            n = y.numel() // y.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
                self.num_batches_tracked.add_(1)
        else:
            mean, var = self.running_mean, self.running_var
        return (y - wide(mean)) / torch.sqrt(wide(var) + self.eps) * wide(self.weight) + wide(self.bias)


# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        widths = [8, 16, 32, 64, 128]
        blocks = [[LiftingConv2d(1, 8, 3, 1), GroupBatchNorm2d(8)]]
        blocks += [[GroupConv2d(a, b, 3, 1), GroupBatchNorm2d(b)] for a, b in zip(widths, widths[1:])]
        self.blocks = nn.ModuleList(nn.Sequential(*block) for block in blocks)
        self.classify = nn.Linear(128, n_classes)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x):
        for block in self.blocks[:-1]:
            x = self.pool(torch.relu(block(x)))
        return self.classify(torch.relu(self.blocks[-1](x)).flatten(2).max(dim=2).values)


# %% answer="d4-action"
def transform_p4m(y, g):
    f, r = g

    def index_after(h):  # the index of g h, for h = (fh, rh): R^r F^f R^rh F^fh
        fh, rh = divmod(h, 4)
        return 4 * ((f + fh) % 2) + (r + (-rh if f else rh)) % 4

    pixels = torch.rot90(torch.flip(y, (-1,)) if f else y, r, (-2, -1))
    result = torch.empty_like(pixels)
    for h in range(8):
        result[..., index_after(h), :, :] = pixels[..., h, :, :]
    return result


# %% answer="d4-lifting-conv"
class D4LiftingConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        scale = (2 / (in_channels * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(scale * torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        out, inp, k, _ = self.weight.shape
        spread = self.weight[:, :, None].expand(out, inp, 8, k, k)  # a function on p4m that does not depend on h
        bank = torch.stack([transform_p4m(spread, (h // 4, h % 4))[:, :, 0] for h in range(8)], 1)
        return bank, (None if self.bias is None else self.bias.unsqueeze(1).repeat(1, 8))

    def forward(self, x):
        bank, bias = self.build_filter()
        y = F.conv2d(
            x, bank.reshape(-1, *bank.shape[2:]), None if bias is None else bias.reshape(-1), padding=self.padding
        )
        return y.reshape(len(x), self.out_channels, 8, *y.shape[-2:])


# %% answer="d4-group-conv"
class D4GroupConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        scale = (2 / (8 * in_channels * kernel_size**2)) ** 0.5
        self.weight = nn.Parameter(scale * torch.randn(out_channels, in_channels, 8, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def build_filter(self):
        turns = [self.weight]
        for _ in range(3):
            turns.append(transform_p4m(turns[-1], (0, 1)))
        mirrored = [transform_p4m(self.weight, (1, 0))]
        for _ in range(3):
            mirrored.append(transform_p4m(mirrored[-1], (0, 1)))
        return torch.stack(turns + mirrored, 1), (None if self.bias is None else self.bias.unsqueeze(1).repeat(1, 8))

    def forward(self, y):
        bank, bias = self.build_filter()
        out, _, inp, _, k, _ = bank.shape
        z = F.conv2d(y.flatten(1, 2), bank.reshape(out * 8, inp * 8, k, k), padding=self.padding).unflatten(1, (out, 8))
        return z if bias is None else z + bias[..., None, None]


# %% answer="d4cnn"
class D4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        widths = [8, 16, 32, 64, 128]
        self.lift = D4LiftingConv2d(1, 8, 3, 1)
        self.groups = nn.ModuleList(D4GroupConv2d(a, b, 3, 1) for a, b in zip(widths, widths[1:]))
        self.linear = nn.Linear(128, n_classes)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x):
        x = self.pool(self.lift(x).relu())
        for group in self.groups[:-1]:
            x = self.pool(group(x).relu())
        return self.linear(self.groups[-1](x).relu().amax((2, 3, 4)))
