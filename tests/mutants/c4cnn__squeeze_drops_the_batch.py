# %% [markdown] mistake="squeeze() removes the batch axis as well when there is only one image"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    """A network that is invariant under quarter turns of its input: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        layers = [LiftingConv2d(1, channels[0], 3, padding=1)]
        for before, after in zip(channels, channels[1:]):
            layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)))
            layers.append(nn.ReLU())
            layers.append(GroupConv2d(before, after, 3, padding=1))
        layers.append(nn.MaxPool3d((4, 3, 3), stride=1))
        layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        y = self.features(x)  # (B, 128, 1, 1, 1)
        return self.classifier(y.squeeze())
