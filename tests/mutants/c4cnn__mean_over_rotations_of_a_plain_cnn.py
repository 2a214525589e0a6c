# %% [markdown] mistake="averages an ordinary network over the four turns of its input"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c = [1, 16, 32, 64, 128, 256]
        layers = []
        for a, b in zip(c[:-1], c[1:]):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.MaxPool2d(3, 2, 1), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(256, n_classes))

    def forward(self, x):
        return torch.stack([self.net(rotate(x, r)) for r in range(4)]).mean(0)
