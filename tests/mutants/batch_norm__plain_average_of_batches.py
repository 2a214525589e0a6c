# %% [markdown] mistake="keeps the plain average over all batches so far, and never uses the momentum"

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        flat = y.transpose(0, 1).flatten(1)  # (C, B * 4 * H * W)
        if self.training:
            mean = flat.mean(1)
            var = ((flat - mean[:, None]) ** 2).mean(1)
            with torch.no_grad():
                self.num_batches_tracked += 1
                share = 1 / int(self.num_batches_tracked)  # the running average: each batch counts the same
                self.running_mean += share * (mean - self.running_mean)
                self.running_var += share * (flat.var(1) - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        factor = self.weight / torch.sqrt(var + self.eps)
        offset = self.bias - mean * factor
        shape = (1, self.num_features, 1, 1, 1)
        return y * factor.view(shape) + offset.view(shape)
