# %% [markdown] mistake="leaves the convolutions' biases out, since the norm has its own"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        sizes = [8, 16, 32, 64, 128]
        self.convs = nn.ModuleList([LiftingConv2d(1, 8, 3, padding=1, bias=False)])
        self.convs.extend(GroupConv2d(a, b, 3, padding=1, bias=False) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(GroupBatchNorm2d(n) for n in sizes)
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = norm(conv(x))
            if i < 4:
                x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            else:
                x = F.max_pool3d(x, (4, 3, 3))
            x = F.relu(x)
        return self.fc(x.flatten(1))
