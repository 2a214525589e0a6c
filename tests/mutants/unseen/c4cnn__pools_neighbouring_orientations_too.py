# %% [markdown] mistake="the first four pools have kernel 3 along the group axis as well, so that each orientation takes in its neighbours, but 3 and 0 are none"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    """A network that is invariant under quarter turns of its input: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        layers = []
        for i, out_channels in enumerate(channels):
            if i == 0:
                layers.append(LiftingConv2d(1, out_channels, 3, padding=1))
            else:
                layers.append(GroupConv2d(channels[i - 1], out_channels, 3, padding=1))
            if i < 4:
                # halves the picture, keeps all four orientations
                layers.append(nn.MaxPool3d(3, stride=(1, 2, 2), padding=1))
            else:
                layers.append(nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1)))
            layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        return self.classifier(self.features(x).flatten(1))
