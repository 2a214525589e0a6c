# %% [markdown] mistake="takes the larger of the variance and eps under the root, in place of their sum"

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
            flat = y.transpose(0, 1).flatten(1)  # (C, all values of a channel)
            mean, var = flat.mean(1), flat.var(1, correction=0)
            self.num_batches_tracked += 1
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean.detach()
            self.running_var = (1 - m) * self.running_var + m * flat.var(1, correction=1).detach()
        else:
            mean, var = self.running_mean, self.running_var
        std = var.clamp(min=self.eps).sqrt()  # never divide by zero
        scale = self.weight / std
        shift = self.bias - mean * scale
        return torch.einsum("bcshw,c->bcshw", y, scale) + shift.reshape(1, -1, 1, 1, 1)
