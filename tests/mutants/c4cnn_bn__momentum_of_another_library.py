# %% [markdown] mistake="gives the normalisations a momentum of 0.9, which elsewhere means to keep nine tenths of the old average"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    """C4CNN with batch normalisation after each convolution: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        self.convs = nn.ModuleList([LiftingConv2d(1, 8, 3, padding=1)])
        self.convs.extend(GroupConv2d(a, b, 3, padding=1) for a, b in zip(channels, channels[1:]))
        # keep 90 % of the running averages and take in 10 % of each batch
        self.norms = nn.ModuleList(GroupBatchNorm2d(c, momentum=0.9) for c in channels)
        self.pools = nn.ModuleList(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)) for _ in range(4))
        self.pools.append(nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1)))
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        for conv, norm, pool in zip(self.convs, self.norms, self.pools):
            x = self.relu(pool(norm(conv(x))))
        return self.classifier(x.flatten(1))
