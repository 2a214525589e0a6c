# %% [markdown] mistake="num_batches_tracked counts the images seen in training mode, not the batches"

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
        batch, channels, _, height, width = y.shape
        if self.training:
            flat = y.transpose(0, 1).reshape(channels, -1)  # one row per channel
            mean, var = flat.mean(1), flat.var(1, correction=0)
            m = self.momentum
            self.running_mean.copy_((1 - m) * self.running_mean + m * mean.detach())
            self.running_var.copy_((1 - m) * self.running_var + m * flat.detach().var(1))
            self.num_batches_tracked += batch
        else:
            mean, var = self.running_mean, self.running_var
        shape = (1, channels, 1, 1, 1)
        scale = self.weight / (var + self.eps).sqrt()
        return (y - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
