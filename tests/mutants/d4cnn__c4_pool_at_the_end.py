# %% [markdown] mistake="pools over four of the eight elements and classifies both halves"

# %% answer="d4cnn"
class D4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c = [8, 16, 32, 64, 128]
        self.lift = D4LiftingConv2d(1, 8, 3, padding=1)
        self.convs = nn.ModuleList([D4GroupConv2d(c[i], c[i + 1], 3, padding=1) for i in range(4)])
        self.fc = nn.Linear(128 * 2, n_classes)

    def forward(self, x):
        pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        x = F.relu(pool(self.lift(x)))
        for conv in self.convs[:3]:
            x = F.relu(pool(conv(x)))
        x = F.relu(F.max_pool3d(self.convs[3](x), (4, 3, 3)))
        return self.fc(x.flatten(1))
