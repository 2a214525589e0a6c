# %% [markdown] mistake="keeps a mean and a variance for each orientation"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.bn = nn.BatchNorm2d(4 * num_features, eps=eps, momentum=momentum)

    def forward(self, y):
        B, C, G, H, W = y.shape
        return self.bn(y.reshape(B, C * G, H, W)).reshape(B, C, G, H, W)
