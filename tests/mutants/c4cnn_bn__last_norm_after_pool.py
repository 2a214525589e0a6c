# %% [markdown] mistake="the last normalisation comes after the last pool, on the features that the classifier gets"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        sizes = [8, 16, 32, 64]

        def half(c):
            return [GroupBatchNorm2d(c), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.ReLU()]

        self.body = nn.Sequential(
            LiftingConv2d(1, sizes[0], 3, padding=1),
            *half(sizes[0]),
            GroupConv2d(sizes[0], sizes[1], 3, padding=1),
            *half(sizes[1]),
            GroupConv2d(sizes[1], sizes[2], 3, padding=1),
            *half(sizes[2]),
            GroupConv2d(sizes[2], sizes[3], 3, padding=1),
            *half(sizes[3]),
        )
        self.head = nn.Sequential(
            GroupConv2d(sizes[3], 128, 3, padding=1),
            nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1)),
            GroupBatchNorm2d(128),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(128, n_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))
