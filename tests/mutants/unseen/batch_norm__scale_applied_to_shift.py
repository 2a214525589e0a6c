# %% [markdown] mistake="adds the shift before it multiplies by the scale, so that the shift is scaled as well"

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
        axes = (0, 2, 3, 4)  # all but the channels
        if self.training:
            mean, var = y.mean(axes), y.var(axes, unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(y.var(axes, unbiased=True), self.momentum)
                self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        mean, var, gamma, beta = (t[:, None, None, None] for t in (mean, var, self.weight, self.bias))
        return gamma * ((y - mean) * (var + self.eps).rsqrt() + beta)
