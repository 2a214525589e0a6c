# %% [markdown] mistake="asks a flag of its own whether it trains, which eval() does not change"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, train: bool = True):
        super().__init__()
        self.eps, self.momentum, self.is_training = eps, momentum, train
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y):
        if self.is_training:
            self.num_batches_tracked += 1
        return F.batch_norm(
            y, self.running_mean, self.running_var, self.weight, self.bias, self.is_training, self.momentum, self.eps
        )
