# %% [markdown] mistake="leaves the normalisation out in evaluation mode, as if it were a dropout"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    """C4CNN with batch normalisation after each convolution: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        self.convs = nn.ModuleList([LiftingConv2d(1, 8, 3, padding=1)])
        for before, after in zip(channels, channels[1:]):
            self.convs.append(GroupConv2d(before, after, 3, padding=1))
        self.norms = nn.ModuleList([GroupBatchNorm2d(c) for c in channels])
        self.pools = nn.ModuleList([nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)) for _ in range(4)])
        self.pools.append(nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1)))
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        y = x
        for conv, norm, pool in zip(self.convs, self.norms, self.pools):
            y = conv(y)
            if self.training:  # batch normalisation is for training: a single test image has no batch
                y = norm(y)
            y = self.relu(pool(y))
        return self.classifier(y.flatten(1))
