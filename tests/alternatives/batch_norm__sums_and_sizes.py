# %% [markdown] start="model"
# Means as sums over sizes, in double precision inside, channels first; the averages are written in place.

# %% answer="batch-norm"
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.settings = {"eps": eps, "momentum": momentum}
        self.register_buffer("num_batches_tracked", torch.zeros([], dtype=torch.int64))
        self.register_buffer("running_var", torch.full((num_features,), 1.0))
        self.register_buffer("running_mean", torch.full((num_features,), 0.0))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, y):
        rows = y.transpose(0, 1).flatten(1).double()  # (C, B * 4 * H * W)
        if self.training:
            n = rows.shape[1]
            mean = rows.sum(1) / n
            var = ((rows - mean[:, None]) ** 2).sum(1) / n
            m = self.settings["momentum"]
            self.running_mean.mul_(1 - m).add_(m * mean.detach())
            self.running_var.mul_(1 - m).add_(m * var.detach() * n / (n - 1))
            self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean.double(), self.running_var.double()
        scale = self.weight.double() / torch.sqrt(var + self.settings["eps"])
        rows = rows * scale[:, None] + (self.bias - mean * scale)[:, None]
        return rows.to(y.dtype).unflatten(1, (y.shape[0], *y.shape[2:])).transpose(0, 1)
