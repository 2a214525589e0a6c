# %% [markdown] mistake="normalises each orientation by itself with BatchNorm2d"

# %% answer="c4cnn-bn"
class Norm(nn.BatchNorm2d):
    def forward(self, y):
        return super().forward(y.flatten(1, 2)).unflatten(1, (-1, 4))


class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        layers, before = [], 1
        for i, after in enumerate([8, 16, 32, 64, 128]):
            layers.append((GroupConv2d if i else LiftingConv2d)(before, after, 3, padding=1))
            layers.append(Norm(4 * after))
            layers.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)) if i < 4 else nn.MaxPool3d((4, 3, 3)))
            layers.append(nn.ReLU())
            before = after
        self.features, self.fc = nn.Sequential(*layers), nn.Linear(128, n_classes)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
