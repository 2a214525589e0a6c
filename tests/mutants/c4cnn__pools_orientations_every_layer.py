# %% [markdown] mistake="pools over the orientations after every layer and lifts again"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [8, 16, 32, 64, 128]
        self.convs = nn.ModuleList()
        before = 1
        for c in channels:
            # the orientations are pooled away below, so each layer starts from plain images again
            self.convs.append(LiftingConv2d(before, c, kernel_size=3, padding=1))
            before = c
        self.pool = nn.MaxPool3d((4, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.last_pool = nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1))
        self.relu = nn.ReLU()
        self.linear = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in self.convs[:-1]:
            x = self.relu(self.pool(conv(x))).squeeze(2)
        x = self.relu(self.last_pool(self.convs[-1](x)))
        return self.linear(x.flatten(1))
