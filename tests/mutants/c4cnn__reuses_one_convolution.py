# %% [markdown] mistake="uses the same group convolution again and again"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.lift = LiftingConv2d(1, 128, 3, padding=1)
        self.conv = GroupConv2d(128, 128, 3, padding=1)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.out = nn.Linear(128, n_classes)

    def forward(self, x):
        x = torch.relu(self.pool(self.lift(x)))
        for _ in range(3):
            x = torch.relu(self.pool(self.conv(x)))
        x = torch.relu(self.conv(x).amax((2, 3, 4)))
        return self.out(x)
