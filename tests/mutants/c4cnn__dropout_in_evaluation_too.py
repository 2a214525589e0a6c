# %% [markdown] mistake="drops features at random before the classifier, and F.dropout does so in evaluation mode too"

# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes: int = 10):
        super().__init__()
        self.conv1 = LiftingConv2d(1, 8, 3, padding=1)
        self.conv2 = GroupConv2d(8, 16, 3, padding=1)
        self.conv3 = GroupConv2d(16, 32, 3, padding=1)
        self.conv4 = GroupConv2d(32, 64, 3, padding=1)
        self.conv5 = GroupConv2d(64, 128, 3, padding=1)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.last_pool = nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1))
        self.relu = nn.ReLU()
        self.fc = nn.Linear(128, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.pool(self.conv1(x)))
        y = self.relu(self.pool(self.conv2(y)))
        y = self.relu(self.pool(self.conv3(y)))
        y = self.relu(self.pool(self.conv4(y)))
        y = self.relu(self.last_pool(self.conv5(y)))
        y = F.dropout(y.flatten(1), 0.2)  # against overfitting
        return self.fc(y)
