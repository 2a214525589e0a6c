# %% [markdown] start="model"
# The variance as the mean of squares less the square of the mean; running averages that are new tensors each time, and
# a buffer more than PyTorch's norm has.

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.weight, self.bias = (nn.Parameter(torch.full((num_features,), v)) for v in (1.0, 0.0))
        self.register_buffer("running_mean", torch.zeros_like(self.weight.data))
        self.register_buffer("running_var", torch.ones_like(self.bias.data))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.register_buffer("eps", torch.tensor(eps, dtype=torch.float64), persistent=False)

    def forward(self, y):
        over = [0, 2, 3, 4]
        if self.training:
            mean = y.mean(over, keepdim=True)
            var = (y * y).mean(over, keepdim=True) - mean * mean
            n = y[:, 0].numel()
            with torch.no_grad():
                old = 1 - self.momentum
                self.running_mean = old * self.running_mean + self.momentum * mean.flatten()
                self.running_var = old * self.running_var + self.momentum * var.flatten() * (n / (n - 1))
                self.num_batches_tracked = self.num_batches_tracked + 1
        else:
            mean, var = (v[None, :, None, None, None] for v in (self.running_mean, self.running_var))
        scaled = (y - mean) * torch.rsqrt(var + self.eps.to(y.dtype))
        return torch.einsum("c,bcshw->bcshw", self.weight, scaled) + self.bias.view(1, -1, 1, 1, 1)
