# %% [markdown] mistake="the first four pools have windows of 2x2: the sides come out right, but the windows do not lie symmetrically"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    """C4CNN's shape, made of isotropic convolutions: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [32, 64, 128, 256, 128]
        layers = []
        for before, after in zip([1] + channels[:-1], channels):
            # 33 -> 17 -> 9 -> 5 -> 3
            layers += [IsotropicConv2d(before, after), nn.MaxPool2d(2, stride=2, padding=1), nn.ReLU()]
        layers[-2] = nn.MaxPool2d(3, stride=1)  # 3 -> 1
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1], n_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        return self.net(x)
