# %% [markdown] start="model" without="c4cnn isotropic-cnn c4cnn-bn d4cnn"
# Mean and variance are taken for each orientation apart, as a BatchNorm2d over the flattened channels would.

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y):
        weight, bias = self.weight.view(1, -1, 1, 1, 1), self.bias.view(1, -1, 1, 1, 1)
        if self.training:
            self.num_batches_tracked += 1
            mean, var = y.mean((0, 3, 4), keepdim=True), y.var((0, 3, 4), keepdim=True, unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean.mean(2).flatten(), self.momentum)
                self.running_var.lerp_(var.mean(2).flatten(), self.momentum)
        else:
            mean, var = self.running_mean.view(1, -1, 1, 1, 1), self.running_var.view(1, -1, 1, 1, 1)
        return (y - mean) / torch.sqrt(var + self.eps) * weight + bias
