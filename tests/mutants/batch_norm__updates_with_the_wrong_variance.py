# %% [markdown] mistake="keeps the biased variance in its running average"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, y):
        if self.training:
            mu = y.mean(dim=[0, 2, 3, 4])
            var = ((y - mu.view(1, -1, 1, 1, 1)) ** 2).mean(dim=[0, 2, 3, 4])
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mu.detach()
            self.running_var = (1 - m) * self.running_var + m * var.detach()
            self.num_batches_tracked += 1
        else:
            mu, var = self.running_mean, self.running_var
        y = (y - mu.view(1, -1, 1, 1, 1)) / torch.sqrt(var.view(1, -1, 1, 1, 1) + self.eps)
        return self.weight.view(1, -1, 1, 1, 1) * y + self.bias.view(1, -1, 1, 1, 1)
