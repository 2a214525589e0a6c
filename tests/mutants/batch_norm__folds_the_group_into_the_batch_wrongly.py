# %% [markdown] mistake="folds the group axis into the batch without moving it there first"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.BatchNorm2d):
    def forward(self, y):
        B, C, G, H, W = y.shape
        z = super().forward(y.reshape(B * G, C, H, W))
        return z.reshape(B, C, G, H, W)
