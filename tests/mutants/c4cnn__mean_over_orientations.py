# %% [markdown] mistake="takes the mean over the four orientations at the end, where the largest is asked for"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        widths = (8, 16, 32, 64, 128)
        blocks = [LiftingConv2d(1, widths[0], 3, padding=1)]
        for a, b in zip(widths[:-1], widths[1:]):
            blocks += [nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.ReLU(), GroupConv2d(a, b, 3, padding=1)]
        blocks += [nn.MaxPool3d((1, 3, 3), (1, 1, 1)), nn.ReLU()]
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)  # (B, 128, 4, 1, 1)
        y = y.mean(dim=(2, 3, 4))  # invariant: the average does not care about the order
        return self.head(y)
