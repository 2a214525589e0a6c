# %% [markdown] start="model"
# One nn.Sequential from the image to the classes.

# %% answer="d4cnn"
class D4CNN(nn.Sequential):
    def __init__(self, n_classes=10):
        super().__init__()
        self.add_module("lift", D4LiftingConv2d(1, 8, 3, padding=1))
        for i in range(4):
            self.add_module(f"relu{i}", nn.ReLU())
            self.add_module(f"pool{i}", nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))
            self.add_module(f"group{i}", D4GroupConv2d(8 << i, 16 << i, 3, padding=1))
        self.add_module("last", nn.AdaptiveMaxPool3d((1, 1, 1)))
        self.add_module("flat", nn.Flatten())
        self.add_module("relu", nn.Hardtanh(0.0, torch.inf))
        self.add_module("out", nn.Linear(128, n_classes))
