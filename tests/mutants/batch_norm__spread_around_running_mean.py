# %% [markdown] mistake="the variance for the running average is taken around the running mean, not around the batch's own mean"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    """Batch normalisation of functions on p4, (B, num_features, 4, H, W), with one mean and variance per channel."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Normalise y, (B, num_features, 4, H, W); keep running averages in training mode."""
        def per_channel(v):
            return v[:, None, None, None]

        axes = (0, 2, 3, 4)
        if self.training:
            mean, var = y.mean(axes), y.var(axes, unbiased=False)
            with torch.no_grad():
                n = y.numel() // y.shape[1]
                self.num_batches_tracked += 1
                self.running_mean += self.momentum * (mean - self.running_mean)
                spread = (y - per_channel(self.running_mean)).square().sum(axes) / (n - 1)
                self.running_var += self.momentum * (spread - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        y = (y - per_channel(mean)) / torch.sqrt(per_channel(var) + self.eps)
        return y * per_channel(self.weight) + per_channel(self.bias)
