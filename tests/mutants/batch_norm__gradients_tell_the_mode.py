# %% [markdown] mistake="decides by whether gradients are recorded, not by self.training, if it is in training mode"

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
        learning = torch.is_grad_enabled()  # in evaluation there are no gradients
        if learning:
            self.num_batches_tracked += 1
        return F.batch_norm(
            y, self.running_mean, self.running_var, self.weight, self.bias, learning, self.momentum, self.eps
        )
