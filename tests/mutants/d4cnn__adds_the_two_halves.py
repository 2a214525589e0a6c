# %% [markdown] mistake="adds the largest value of the turns and the largest of the mirrored ones, in place of the largest of all eight"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    """A network that is invariant under quarter turns and mirror images of its input: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        layers, before = [], None
        for out in channels:
            conv = D4LiftingConv2d(1, out, 3, padding=1) if before is None else D4GroupConv2d(before, out, 3, padding=1)
            if out == channels[-1]:
                pool = nn.MaxPool3d((4, 3, 3), stride=(4, 1, 1))  # the turns, and the mirrored ones
            else:
                pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
            layers.extend([conv, pool, nn.ReLU()])
            before = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        y = self.features(x)  # (B, 128, 2, 1, 1)
        return self.classifier(y.sum(dim=(2, 3, 4)))
