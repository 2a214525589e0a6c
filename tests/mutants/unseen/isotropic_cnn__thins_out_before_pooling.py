# %% [markdown] mistake="drops every second pixel first and then pools with stride 1, so that the windows see only the pixels that were kept"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    """C4CNN's shape, made of isotropic convolutions: (B, 1, 33, 33) to (B, n_classes)."""

    def __init__(self, n_classes: int = 10):
        super().__init__()
        channels = [32, 64, 128, 256, 128]
        convs = []
        before = 1
        for c in channels:
            convs.append(IsotropicConv2d(before, c))
            before = c
        self.convs = nn.ModuleList(convs)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.last_pool = nn.MaxPool2d(3, stride=1)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(before, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, n_classes)."""
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if i < 4:
                x = x[:, :, ::2, ::2]  # stride 2: 33, 17, 9, 5, 3
                x = self.pool(x)
            else:
                x = self.last_pool(x)
            x = self.relu(x)
        return self.classifier(x.flatten(1))
