# %% [markdown] mistake="normalises what goes into each convolution instead of what comes out of it"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.image_norm = nn.BatchNorm2d(1)  # an image has no group axis yet
        self.lift = LiftingConv2d(1, 8, 3, padding=1)
        self.norms, self.convs = nn.ModuleList(), nn.ModuleList()
        for c in (8, 16, 32, 64):
            self.norms.append(GroupBatchNorm2d(c))
            self.convs.append(GroupConv2d(c, 2 * c, 3, padding=1))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.final_pool = nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1))
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lift(self.image_norm(x))
        for norm, conv in zip(self.norms, self.convs):
            y = self.relu(self.pool(y))
            y = conv(norm(y))
        y = self.relu(self.final_pool(y))
        return self.classifier(y.flatten(1))
