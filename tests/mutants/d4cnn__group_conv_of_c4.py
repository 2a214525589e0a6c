# %% [markdown] mistake="uses C4's group convolution on each half of the group axis"

# %% answer="d4cnn"
class Half(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv = GroupConv2d(a, b, 3, padding=1)

    def forward(self, y):
        return torch.cat([self.conv(half) for half in y.split(4, dim=2)], dim=2)


class D4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c = [8, 16, 32, 64, 128]
        layers = [D4LiftingConv2d(1, 8, 3, padding=1)]
        for a, b in zip(c, c[1:]):
            layers += [nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.ReLU(), Half(a, b)]
        layers += [nn.MaxPool3d((8, 3, 3)), nn.ReLU()]
        self.features, self.fc = nn.Sequential(*layers), nn.Linear(128, n_classes)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
