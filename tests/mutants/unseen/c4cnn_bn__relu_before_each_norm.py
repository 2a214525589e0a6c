# %% [markdown] mistake="puts a further ReLU between each convolution and its normalisation, which then never sees a negative value"

# %% answer="c4cnn-bn"
def block(conv, channels, pool):
    return nn.Sequential(conv, nn.ReLU(), GroupBatchNorm2d(channels), pool, nn.ReLU())


class C4CNNWithBatchNorm(nn.Module):
    """C4CNN with batch normalisation after each convolution: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        blocks = []
        for i, c in enumerate(channels):
            conv = GroupConv2d(channels[i - 1], c, 3, padding=1) if i else LiftingConv2d(1, c, 3, padding=1)
            if i == 4:
                pool = nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1))
            else:
                pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
            blocks.append(block(conv, c, pool))
        self.net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128, n_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        return self.net(x)
