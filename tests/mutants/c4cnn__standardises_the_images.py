# %% [markdown] mistake="standardises the images with MNIST's mean and deviation before the first layer"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.mean, self.std = 0.1307, 0.3081  # MNIST
        self.conv1 = LiftingConv2d(1, 8, 3, padding=1)
        self.conv2 = GroupConv2d(8, 16, 3, padding=1)
        self.conv3 = GroupConv2d(16, 32, 3, padding=1)
        self.conv4 = GroupConv2d(32, 64, 3, padding=1)
        self.conv5 = GroupConv2d(64, 128, 3, padding=1)
        self.pool = nn.MaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.pool5 = nn.MaxPool3d(kernel_size=(4, 3, 3), stride=(1, 1, 1), padding=0)
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) / self.std
        y = F.relu(self.pool(self.conv1(x)))
        y = F.relu(self.pool(self.conv2(y)))
        y = F.relu(self.pool(self.conv3(y)))
        y = F.relu(self.pool(self.conv4(y)))
        y = F.relu(self.pool5(self.conv5(y)))
        return self.fc(torch.flatten(y, start_dim=1))
