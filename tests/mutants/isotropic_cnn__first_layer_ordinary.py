# %% [markdown] mistake="the first layer is an ordinary convolution, to take the place of the lifting"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        # as in C4CNN the first layer is of another kind: it takes the image to feature maps
        self.first = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.second = IsotropicConv2d(32, 64)
        self.third = IsotropicConv2d(64, 128)
        self.fourth = IsotropicConv2d(128, 256)
        self.fifth = IsotropicConv2d(256, 128)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.last_pool = nn.MaxPool2d(3, stride=1)
        self.out = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.first, self.second, self.third, self.fourth):
            x = torch.relu(self.pool(layer(x)))
        x = torch.relu(self.last_pool(self.fifth(x)))
        return self.out(x.flatten(1))
