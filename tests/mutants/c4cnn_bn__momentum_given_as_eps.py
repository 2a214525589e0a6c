# %% [markdown] mistake="passes the momentum 0.1 in second place, where the layer takes eps"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    """C4CNN with batch normalisation after each convolution: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        momentum = 0.1
        layers = []
        for i, out_channels in enumerate(channels):
            if i == 0:
                layers.append(LiftingConv2d(1, out_channels, 3, padding=1))
            else:
                layers.append(GroupConv2d(channels[i - 1], out_channels, 3, padding=1))
            layers.append(GroupBatchNorm2d(out_channels, momentum))
            if i < 4:
                layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)))
            else:
                layers.append(nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1)))
            layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        return self.classifier(self.features(x).flatten(1))
