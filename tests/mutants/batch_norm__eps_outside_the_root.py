# %% [markdown] mistake="adds eps to the standard deviation, outside the root, instead of to the variance"

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

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        if self.training:
            axes = (0, 2, 3, 4)
            mean, var = y.mean(axes), y.var(axes, unbiased=False)
            with torch.no_grad():
                m = self.momentum
                self.running_mean.copy_((1 - m) * self.running_mean + m * mean)
                self.running_var.copy_((1 - m) * self.running_var + m * y.var(axes, unbiased=True))
                self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var

        def column(v):
            return v.view(1, -1, 1, 1, 1)

        std = torch.sqrt(var) + self.eps  # never divide by 0
        return (y - column(mean)) / column(std) * column(self.weight) + column(self.bias)
