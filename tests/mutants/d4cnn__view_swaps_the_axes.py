# %% [markdown] mistake="views the features (B, 128, 8) as (B, 8, 128) before taking the largest, which mixes channels and orientations"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    """A network that is invariant under quarter turns and mirror images of its input: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        layers = [D4LiftingConv2d(1, channels[0], 3, padding=1)]
        for before, after in zip(channels, channels[1:]):
            layers += [nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), nn.ReLU()]
            layers.append(D4GroupConv2d(before, after, 3, padding=1))
        layers += [nn.MaxPool3d((1, 3, 3), stride=(1, 1, 1)), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        y = self.features(x)
        y = y.view(x.shape[0], 8, 128)
        y = y.amax(dim=1)  # over the eight elements of the group
        return self.classifier(y)
