# %% [markdown] start="model"
# Five attributes and a loop over them, pools and activations as functions, the last pool as a maximum.

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        before = 1
        for i, width in enumerate([32, 64, 128, 256, 128]):
            setattr(self, f"conv{i}", IsotropicConv2d(before, width, bias=True))
            before = width
        self.fc = nn.Linear(before, n_classes, bias=True)

    def forward(self, x):
        for i in range(4):
            x = F.relu(F.max_pool2d(getattr(self, f"conv{i}")(x), 3, 2, 1), inplace=True)
        return self.fc(F.threshold(self.conv4(x).flatten(2).max(-1)[0], 0.0, 0.0))
