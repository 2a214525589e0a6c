# %% [markdown] mistake="has its ReLU after every second layer only"

# %% answer="isotropic-cnn"
class IsotropicCNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.c1, self.c2, self.c3 = IsotropicConv2d(1, 32), IsotropicConv2d(32, 64), IsotropicConv2d(64, 128)
        self.c4, self.c5 = IsotropicConv2d(128, 256), IsotropicConv2d(256, 128)
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x):
        pool = nn.MaxPool2d(3, stride=2, padding=1)
        x = pool(self.c1(x))
        x = F.relu(pool(self.c2(x)))
        x = pool(self.c3(x))
        x = F.relu(pool(self.c4(x)))
        x = F.max_pool2d(self.c5(x), 3)
        return self.fc(F.relu(x).squeeze())
