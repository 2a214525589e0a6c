# %% [markdown] mistake="has an ordinary convolution as its last layer"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.net = nn.Sequential(
            IsotropicConv2d(1, 32),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(),
            IsotropicConv2d(32, 64),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(),
            IsotropicConv2d(64, 128),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(),
            IsotropicConv2d(128, 256),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(256, 128, 3, padding=1),
            nn.MaxPool2d(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(128, n_classes),
        )

    def forward(self, x):
        return self.net(x)
