# %% [markdown] mistake="adds a row and a column of zeros on one side to make the side even, 34, so that the pools' windows no longer lie symmetrically"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    """A network that is invariant under quarter turns and mirror images of its input: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        layers = []
        for i, out_channels in enumerate(channels):
            if i == 0:
                layers.append(D4LiftingConv2d(1, out_channels, 3, padding=1))
            else:
                layers.append(D4GroupConv2d(channels[i - 1], out_channels, 3, padding=1))
            if i < len(channels) - 1:
                layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)))
            else:
                layers.append(nn.MaxPool3d((8, 3, 3), stride=(1, 1, 1)))
            layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        x = F.pad(x, (0, 1, 0, 1))  # 34 can be halved, 33 cannot
        return self.classifier(self.features(x).flatten(1))
