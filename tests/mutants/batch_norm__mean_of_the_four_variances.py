# %% [markdown] mistake="averages the variances of the four orientations, which leaves out how far apart their means are"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def batch_statistics(self, y):
        # statistics of each orientation, (C, 4), then shared by averaging over the group
        means = y.mean(dim=(0, 3, 4))
        variances = y.var(dim=(0, 3, 4), unbiased=False)
        return means.mean(dim=1), variances.mean(dim=1)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        if not self.training:
            mu, var = self.running_mean, self.running_var
        else:
            mu, var = self.batch_statistics(y)
            n = y.numel() / y.shape[1]
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mu)
                self.running_var.mul_(1 - self.momentum).add_(self.momentum * var * n / (n - 1))
        mu, var, gamma, beta = (v.reshape(-1, 1, 1, 1) for v in (mu, var, self.weight, self.bias))
        return gamma * (y - mu) / (var + self.eps).sqrt() + beta
