# %% [markdown] mistake="has no pool and no ReLU after the lifting convolution"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.lift = LiftingConv2d(1, 8, 3, padding=1)
        self.blocks = nn.ModuleList([])
        channels = [8, 16, 32, 64, 128]
        for c_in, c_out in zip(channels[:-1], channels[1:]):
            self.blocks.append(GroupConv2d(c_in, c_out, 3, padding=1))
        self.linear = nn.Linear(128, n_classes)

    def forward(self, x):
        y = self.lift(x)
        for block in self.blocks:
            y = block(y)
            y = F.max_pool3d(y, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            y = torch.relu(y)
        y = y.amax(dim=(2, 3, 4))
        return self.linear(y)
