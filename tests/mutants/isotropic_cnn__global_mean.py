# %% [markdown] mistake="ends with a mean over all pixels in place of the last pool"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [1, 32, 64, 128, 256, 128]
        self.convs = nn.ModuleList(IsotropicConv2d(a, b) for a, b in zip(channels[:-1], channels[1:]))
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x):
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if i < 4:
                x = F.max_pool2d(x, 3, 2, 1)
            x = F.relu(x)
        return self.fc(x.mean((2, 3)))
