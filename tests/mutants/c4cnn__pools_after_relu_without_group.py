# %% [markdown] mistake="pools over pixels only and lets the classifier see all orientations"

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
        self.last = nn.MaxPool3d((1, 3, 3), stride=(1, 1, 1))
        self.fc = nn.Linear(128 * 4, n_classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(self.pool(conv(x)))
        x = F.relu(self.last(self.conv5(x)))
        return self.fc(x.flatten(1))
