# %% [markdown] mistake="takes the middle pixel of the last 3x3 map, which no turn moves, in place of the largest of all nine"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    """C4CNN's shape, made of isotropic convolutions: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [32, 64, 128, 256, 128]
        self.convs = nn.ModuleList(IsotropicConv2d(a, b) for a, b in zip([1] + channels, channels))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        for conv in self.convs[:-1]:
            x = self.relu(self.pool(conv(x)))
        x = self.convs[-1](x)  # (B, 128, 3, 3)
        x = self.relu(x[:, :, 1, 1])  # invariant: the centre stays where it is
        return self.classifier(x)
