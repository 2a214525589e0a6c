# %% [markdown] mistake="keeps its layers in a plain list, so that their parameters are not found"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        c = [8, 16, 32, 64, 128]
        self.layers = [LiftingConv2d(1, 8, 3, padding=1)]
        for i in range(4):
            self.layers.append(GroupConv2d(c[i], c[i + 1], 3, padding=1))
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.head = nn.Linear(128, n_classes)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(self.pool(layer(x)))
        x = self.layers[-1](x)
        x = torch.relu(F.max_pool3d(x, (4, 3, 3), stride=1))
        return self.head(x.flatten(1))
