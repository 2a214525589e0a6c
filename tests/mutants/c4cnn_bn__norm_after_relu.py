# %% [markdown] mistake="normalises after the ReLU"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c = [8, 16, 32, 64, 128]
        blocks = []
        for i in range(5):
            conv = LiftingConv2d(1, c[0], 3, padding=1) if i == 0 else GroupConv2d(c[i - 1], c[i], 3, padding=1)
            pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)) if i < 4 else nn.MaxPool3d((4, 3, 3), 1)
            blocks += [conv, pool, nn.ReLU(), GroupBatchNorm2d(c[i])]
        self.features = nn.Sequential(*blocks)
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
