# %% [markdown] mistake="crops the image to 32 pixels first, and is invariant no more"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c, layers = [8, 16, 32, 64, 128], []
        for i in range(5):
            layers.append(D4LiftingConv2d(1, 8, 3, padding=1) if i == 0 else D4GroupConv2d(c[i - 1], c[i], 3, padding=1))
            layers.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)) if i < 4 else nn.AdaptiveMaxPool3d(1))
            layers.append(nn.ReLU())
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, n_classes))

    def forward(self, x):
        return self.net(x[..., :32, :32])
