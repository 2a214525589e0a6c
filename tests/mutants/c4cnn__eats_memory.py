# %% [markdown] mistake="makes all pairs of pixels and runs out of memory"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.lift = LiftingConv2d(1, 8, 3, padding=1)
        self.group = GroupConv2d(8, 128, 3, padding=1)
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x):
        y = self.group(self.lift(x)).relu()  # (B, 128, 4, 33, 33)
        flat = y.flatten(2)
        scores = flat[..., :, None] * flat[..., None, :]  # every place against every place
        return self.fc(scores.amax((-1, -2)))
