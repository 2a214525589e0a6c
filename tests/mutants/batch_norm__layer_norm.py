# %% [markdown] mistake="normalises each image over all its channels: a LayerNorm"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.norm = nn.GroupNorm(1, num_features, eps=eps)
        self.weight, self.bias = self.norm.weight, self.norm.bias
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y):
        if self.training:
            self.num_batches_tracked.add_(1)
        return self.norm(y)
