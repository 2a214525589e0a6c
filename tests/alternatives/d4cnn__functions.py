# %% [markdown] start="model"
# A list of layers, called by forward, with pools and activations as functions.

# %% answer="d4cnn"
class D4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.W = nn.Linear(in_features=128, out_features=n_classes)
        self.convs = nn.ModuleList([D4LiftingConv2d(1, 8, 3, 1), D4GroupConv2d(8, 16, 3, 1)])
        self.convs += [D4GroupConv2d(16, 32, 3, 1), D4GroupConv2d(32, 64, 3, 1), D4GroupConv2d(64, 128, 3, 1)]

    def forward(self, x):
        first, *middle, last = self.convs
        y = first.forward(x)
        for conv in [*middle, last]:
            y = y.flatten(1, 2)
            y = F.max_pool2d(y, kernel_size=3, stride=2, padding=1).relu_()
            y = conv.forward(y.unflatten(1, (-1, 8)))
        return self.W.forward(y.flatten(2).topk(1).values[..., 0].relu())
