# %% [markdown] start="model"
# Which layers there are is decided in the class, not in its __init__; the activation is a product.

# %% answer="isotropic-cnn"
from functools import partial


class IsotropicCNN(nn.Module):
    kinds = [partial(IsotropicConv2d, a, b) for a, b in ((1, 32), (32, 64), (64, 128), (128, 256), (256, 128))]

    def __init__(self, n_classes=10):
        super().__init__()
        self.steps = nn.ModuleList(make() for make in self.kinds)
        self.pools = [nn.MaxPool2d(3, stride=2, padding=1)] * 4 + [nn.MaxPool2d(3, stride=1)]
        self.readout = nn.Conv2d(128, n_classes, kernel_size=1)

    def forward(self, x):
        for step, pool in zip(self.steps, self.pools):
            x = pool(step(x))
            x = x * (x > 0)
        return self.readout(x).flatten(1)
