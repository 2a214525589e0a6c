# %% [markdown] start="model"
# The layers in a dictionary, called by forward; every feature map is kept, to be looked at later.

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.layers = nn.ModuleDict({"lift": LiftingConv2d(1, 8, 3, padding=1)})
        for i in range(1, 5):
            self.layers[f"group {i}"] = GroupConv2d(2 ** (i + 2), 2 ** (i + 3), 3, padding=1)
        self.layers["classify"] = nn.Linear(128, n_classes)
        self.maps = []

    def forward(self, x):
        self.maps = [x]
        for name, layer in self.layers.items():
            if name == "classify":
                x = x.max(4).values.max(3).values.max(2).values.relu()
            elif name != "lift":
                # the border is padded with what is never the largest
                x = F.max_pool3d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), (1, 3, 3), stride=(1, 2, 2)).relu()
            x = layer.forward(x)
            self.maps.append(x)
        return x
