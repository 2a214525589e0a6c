# %% [markdown] mistake="leaves the group axis out when it counts the n values, so that n / (n - 1) in the running variance is too large"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    """Batch normalisation of functions on p4, (B, num_features, 4, H, W), with one mean and variance per channel."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Normalise y, (B, num_features, 4, H, W); keep running averages in training mode."""
        if self.training:
            B, C, _, H, W = y.shape
            n = B * H * W
            mean = y.mean((0, 2, 3, 4))
            var = y.var((0, 2, 3, 4), unbiased=False)
            with torch.no_grad():
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
                self.running_var.mul_(1 - self.momentum).add_(self.momentum * var * n / (n - 1))
                self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        shape = (1, -1, 1, 1, 1)
        y = (y - mean.view(shape)) / torch.sqrt(var.view(shape) + self.eps)
        return y * self.weight.view(shape) + self.bias.view(shape)
