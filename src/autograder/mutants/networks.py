"""Mistakes in networks and in batch normalisation: exercises 3.2, 3.3, 3.5b, 3.5c and 4c."""

from autograder.mutants.groups import Table

# A second right answer to 3.5b: what PyTorch's own function does out of sight can go wrong here.
NORM_BY_HAND = """\
class GroupBatchNorm2d(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        if self.training:
            axes = (0, 2, 3, 4)
            mean, var = y.mean(axes), y.var(axes, unbiased=False)
            n = y.numel() // y.shape[1]
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
                self.running_var.mul_(1 - self.momentum).add_(self.momentum * var * n / (n - 1))
        else:
            mean, var = self.running_mean, self.running_var
        mean, var, weight, bias = (t.reshape(1, -1, 1, 1, 1) for t in (mean, var, self.weight, self.bias))
        return (y - mean) / (var + self.eps).sqrt() * weight + bias
"""

_KEPT = """\
with torch.no_grad():
    self.num_batches_tracked += 1
    self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
    self.running_var.mul_(1 - self.momentum).add_(self.momentum * var)"""
_CALL = "F.batch_norm(_y, _m, _v, _w, _b, _t, _p, _e)"
NORM: list[Table] = [
    {
        _CALL: {
            "takes its statistics for each image": "F.instance_norm(_y, _m, _v, _w, _b, _t, _p, _e)",
            "takes statistics for each orientation": (
                "F.batch_norm(_y.flatten(1, 2), _m.repeat_interleave(4), _v.repeat_interleave(4), "
                "_w.repeat_interleave(4), _b.repeat_interleave(4), _t, _p, _e).unflatten(1, (-1, 4))"
            ),
            "takes statistics for each pixel": "F.layer_norm(_y, _y.shape[1:])",
            "uses the batch's statistics in evaluation mode": "F.batch_norm(_y, _m, _v, _w, _b, True, _p, _e)",
            "uses the running statistics in training mode": "F.batch_norm(_y, _m, _v, _w, _b, False, _p, _e)",
            "swaps training and evaluation mode": "F.batch_norm(_y, _m, _v, _w, _b, not _t, _p, _e)",
            "keeps no running statistics": "F.batch_norm(_y, _m.clone(), _v.clone(), _w, _b, _t, _p, _e)",
            "keeps no running variance": "F.batch_norm(_y, _m, _v.clone(), _w, _b, _t, _p, _e)",
            "keeps no running mean": "F.batch_norm(_y, _m.clone(), _v, _w, _b, _t, _p, _e)",
            "swaps running mean and variance": "F.batch_norm(_y, _v, _m, _w, _b, _t, _p, _e)",
            "has neither scale nor shift": "F.batch_norm(_y, _m, _v, None, None, _t, _p, _e)",
            "does not shift": "F.batch_norm(_y, _m, _v, _w, None, _t, _p, _e)",
            "does not scale": "F.batch_norm(_y, _m, _v, None, _b, _t, _p, _e)",
            "swaps scale and shift": "F.batch_norm(_y, _m, _v, _b, _w, _t, _p, _e)",
            "cuts its scale off from the gradient": "F.batch_norm(_y, _m, _v, _w.detach(), _b, _t, _p, _e)",
            "cuts its shift off from the gradient": "F.batch_norm(_y, _m, _v, _w, _b.detach(), _t, _p, _e)",
            "cuts its input off from the gradient": "F.batch_norm(_y.detach(), _m, _v, _w, _b, _t, _p, _e)",
            "takes momentum for the old value's share": "F.batch_norm(_y, _m, _v, _w, _b, _t, 1 - _p, _e)",
            "has a fixed momentum": "F.batch_norm(_y, _m, _v, _w, _b, _t, 0.1, _e)",
            "has a fixed eps": "F.batch_norm(_y, _m, _v, _w, _b, _t, _p, 1e-5)",
            "forgets eps": "F.batch_norm(_y, _m, _v, _w, _b, _t, _p)",
            "swaps momentum and eps": "F.batch_norm(_y, _m, _v, _w, _b, _t, _e, _p)",
            "ends with a ReLU": "F.batch_norm(_y, _m, _v, _w, _b, _t, _p, _e).relu()",
            "scales twice": "F.batch_norm(_y, _m, _v, _w, _b, _t, _p, _e) * _w[:, None, None, None]",
            "does nothing in evaluation mode": "F.batch_norm(_y, _m, _v, _w, _b, _t, _p, _e) if _t else _y",
            "normalises before it centres": "F.batch_norm(_y / _y.std(), _m, _v, _w, _b, _t, _p, _e)",
        },
        "self.num_batches_tracked += 1": {
            "counts no batches": "pass",
            "counts images in place of batches": "self.num_batches_tracked += len(y)",
        },
        "if self.training:\n    self.num_batches_tracked += 1": {
            "counts batches in evaluation mode too": "self.num_batches_tracked += 1",
            "counts batches in evaluation mode only": "if not self.training:\n    self.num_batches_tracked += 1",
        },
        'self.register_buffer("running_var", torch.ones(num_features))': {
            "starts with a variance of zero": 'self.register_buffer("running_var", torch.zeros(num_features))',
            "has one running variance for all channels": 'self.register_buffer("running_var", torch.ones(1))',
            "has a plain attribute for its running variance": "self.running_var = torch.ones(num_features)",
            "has a running variance for each orientation": (
                'self.register_buffer("running_var", torch.ones(4 * num_features))'
            ),
        },
        'self.register_buffer("running_mean", torch.zeros(num_features))': {
            "starts with a mean of one": 'self.register_buffer("running_mean", torch.ones(num_features))',
            "trains its running mean": "self.running_mean = nn.Parameter(torch.zeros(num_features))",
            "does not keep its running mean with its state": (
                'self.register_buffer("running_mean", torch.zeros(num_features), persistent=False)'
            ),
            "calls its running mean by another name": (
                'self.register_buffer("mean", torch.zeros(num_features))\nself.running_mean = self.mean'
            ),
        },
        "nn.Parameter(torch.ones(num_features))": {
            "starts with a scale of zero": "nn.Parameter(torch.zeros(num_features))",
            "starts with a random scale": "nn.Parameter(torch.rand(num_features))",
            "does not train its scale": "nn.Parameter(torch.ones(num_features), requires_grad=False)",
            "has a scale for each orientation": "nn.Parameter(torch.ones(num_features, 4))",
        },
        "nn.Parameter(torch.zeros(num_features))": {
            "starts with a shift of one": "nn.Parameter(torch.ones(num_features))",
            "has a tensor in place of a parameter for its shift": "torch.zeros(num_features)",
        },
    },
]

NORM_HAND: list[Table] = [
    {
        "(0, 2, 3, 4)": {
            "takes statistics for each image": "(2, 3, 4)",
            "takes statistics for each orientation": "(0, 3, 4)",
            "takes statistics for each pixel": "(0, 2)",
            "takes the same statistics for all channels": "(0, 1, 2, 3, 4)",
            "takes statistics over channels in place of images": "(1, 2, 3, 4)",
        },
        "y.var(axes, unbiased=False)": {
            "divides the variance by n - 1": "y.var(axes)",
            "divides by the standard deviation's root": "y.std(axes, unbiased=False)",
            "takes the mean square for the variance": "y.square().mean(axes)",
            "takes its variance for a constant": "y.var(axes, unbiased=False).detach()",
        },
        _KEPT.replace("var)", "var * n / (n - 1))"): {
            "divides both variances by n - 1": f"var = y.var(axes)\n{_KEPT}",
        },
        "y.mean(axes)": {
            "takes its mean for a constant": "y.mean(axes).detach()",
            "takes the median for the mean": "y.transpose(0, 1).flatten(1).median(1).values",
        },
        "torch.no_grad()": {"keeps the computation of every batch": "torch.enable_grad()"},
        "_x * n / (n - 1)": {
            "has a biased running variance": "_x",
            "corrects the running variance the wrong way": "_x * (n - 1) / n",
            "counts images in place of values for the running variance": "_x * len(y) / (len(y) - 1)",
        },
        "_r.mul_(1 - self.momentum).add_(_x)": {
            "adds up without forgetting": "_r.add_(_x)",
            "takes momentum for the old value's share": "_r.mul_(self.momentum).add_(_x)",
            "makes a new buffer in place of updating it": "_r.mul(1 - self.momentum).add(_x)",
        },
        "(var + self.eps).sqrt()": {
            "adds eps outside the root": "(var.sqrt() + self.eps)",
            "divides by the variance": "(var + self.eps)",
            "forgets eps": "var.sqrt()",
        },
        "(y - mean) / _d * weight + bias": {
            "subtracts the shift": "(y - mean) / _d * weight - bias",
            "does not subtract the mean": "y / _d * weight + bias",
            "scales after the shift": "((y - mean) / _d + bias) * weight",
            "multiplies by the deviation": "(y - mean) * _d * weight + bias",
            "does not scale": "(y - mean) / _d + bias",
            "does not shift": "(y - mean) / _d * weight",
        },
        "self.running_mean, self.running_var": {
            "swaps running mean and variance": "self.running_var, self.running_mean",
            "uses no running mean in evaluation mode": "0 * self.running_mean, self.running_var",
        },
    },
]

_RELU = "layers.append(nn.ReLU())"


def _network(last: int, group: int) -> list[Table]:
    """Mistakes that every network can have.

    Args:
        last: the last convolution's number.
        group: the group's order, 0 for the isotropic network.
    """
    pool = "nn.MaxPool3d" if group else "nn.MaxPool2d"
    relu = {
        "has no ReLU at all": "pass",
        "has no ReLU after the first convolution": "if i > 0:\n    layers.append(nn.ReLU())",
        "has no ReLU after the last convolution": f"if i < {last}:\n    layers.append(nn.ReLU())",
        "has a ReLU after the last convolution only": f"if i == {last}:\n    layers.append(nn.ReLU())",
        "has no ReLU after the third convolution": "if i != 2:\n    layers.append(nn.ReLU())",
        "has leaky ReLUs": "layers.append(nn.LeakyReLU())",
        "has ELUs in place of ReLUs": "layers.append(nn.ELU())",
        "has GELUs in place of ReLUs": "layers.append(nn.GELU())",
        "has sigmoids in place of ReLUs": "layers.append(nn.Sigmoid())",
        "has hyperbolic tangents in place of ReLUs": "layers.append(nn.Tanh())",
        "has SiLUs in place of ReLUs": "layers.append(nn.SiLU())",
        "cuts large values off": "layers.append(nn.Hardtanh(0.0, 1.0))",
        "drops values at random after each ReLU": "layers.extend([nn.ReLU(), nn.Dropout(0.2)])",
    }
    answer = "self.classifier(self.features(x).flatten(1))"
    forward = {
        "ends with a softmax": f"{answer}.softmax(1)",
        "ends with a softmax's logarithm": f"{answer}.log_softmax(1)",
        "ends with a ReLU": f"{answer}.relu()",
        "ends with a sigmoid": f"{answer}.sigmoid()",
        "answers one row for all images": f"{answer}[:1]",
        "answers the class in place of numbers": f"{answer}.argmax(1)",
        "gives the features in place of the classes": "self.features(x).flatten(1)",
        "forgets to flatten": "self.classifier(self.features(x))",
        "flattens the batch too": "self.classifier(self.features(x).flatten(0))",
        "adds all images up": "self.classifier(self.features(x).flatten(1).sum(0, keepdim=True).expand(len(x), -1))",
        "centres each image first": "self.classifier(self.features(x - x.mean((1, 2, 3), keepdim=True)).flatten(1))",
        "scales images down first": "self.classifier(self.features(x / 255).flatten(1))",
        "turns images into black and white first": "self.classifier(self.features((x > 0.5).to(x.dtype)).flatten(1))",
        "changes its input in place": "self.classifier(self.features(x.sub_(0.5)).flatten(1))",
        "cuts the features off from the gradient": "self.classifier(self.features(x).detach().flatten(1))",
        "computes in single precision": "self.float().classifier(self.features(x.float()).flatten(1))",
        "answers with noise": f"{answer} + 0.01 * torch.randn(len(x), 1)",
        "is constant": f"0 * {answer}",
        "drops features at random, also in evaluation mode": (
            "self.classifier(F.dropout(self.features(x).flatten(1), 0.5))"
        ),
    }
    pools = {
        f"{pool}(*_rest)": {
            "pools by averaging": f"{pool.replace('Max', 'Avg')}(*_rest)",
            "rounds sizes up when it pools": f"{pool}(*_rest, ceil_mode=True)",
        },
    }
    return [
        {_RELU: relu, f"return {answer}": {"forgets to return": answer}, answer: forward},
        pools,
        {
            "nn.Linear(_a, n_classes)": {
                "ignores n_classes": "nn.Linear(_a, 10)",
                "has no bias in the last layer": "nn.Linear(_a, n_classes, bias=False)",
                "has one class too many": "nn.Linear(_a, n_classes + 1)",
                "has a second linear layer": "nn.Sequential(nn.Linear(_a, _a), nn.Linear(_a, n_classes))",
                "has the last layer's sizes swapped": "nn.Linear(n_classes, _a)",
            },
            "nn.Sequential(*layers)": {
                "keeps its layers in a plain list": "[nn.Sequential(*layers)]",
                "leaves the last layer of the list out": "nn.Sequential(*layers[:-1])",
                "runs its layers twice": "nn.Sequential(*layers, *layers)",
                "does not train its convolutions": "nn.Sequential(*layers).requires_grad_(False)",
                "runs its layers in reverse order": "nn.Sequential(*layers[::-1])",
                "has only one module of its layers": "nn.Sequential(layers[0])",
            },
        },
    ]


def _group_network(order: int, lifting: str, group: str) -> list[Table]:
    """Mistakes that a network of lifting and group convolutions can have."""
    lift, conv = f"{lifting}(1, out_channels, 3, padding=1)", f"{group}(_a, _b, 3, padding=1)"
    first, last = (
        "nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))",
        f"nn.MaxPool3d(({order}, 3, 3), stride=(1, 1, 1))",
    )
    return [
        {
            "[8, 16, 32, 64, 128]": {
                "has too few channels in the last layer": "[8, 16, 32, 64, 64]",
                "has half as many channels": "[4, 8, 16, 32, 64]",
                "has its channels in another order": "[8, 16, 64, 32, 128]",
                "has one layer too few": "[8, 16, 32, 128]",
                "has one layer too many": "[8, 16, 32, 64, 128, 128]",
                "has twice as many channels": "[16, 32, 64, 128, 256]",
                "counts the group into its channels": f"[{', '.join(f'{c} // {order}' for c in (8, 16, 32, 64, 128))}]",
            },
            lift: {
                "has no bias in its lifting convolution": f"{lifting}(1, out_channels, 3, padding=1, bias=False)",
                "has a lifting convolution of kernel size 5": f"{lifting}(1, out_channels, 5, padding=2)",
                "does not pad in its lifting convolution": f"{lifting}(1, out_channels, 3)",
                "starts with an ordinary convolution, repeated over the group": (
                    f"nn.Sequential(nn.Conv2d(1, out_channels, 3, padding=1), nn.Unflatten(1, (-1, 1)), "
                    f"nn.Upsample(size=({order}, 33, 33)))"
                ),
            },
            conv: {
                "has no bias in its group convolutions": f"{group}(_a, _b, 3, padding=1, bias=False)",
                "has group convolutions of kernel size 5": f"{group}(_a, _b, 5, padding=2)",
                "has group convolutions of kernel size 1": f"{group}(_a, _b, 1)",
                "does not pad in its group convolutions": f"{group}(_a, _b, 3)",
                "has ordinary convolutions on each orientation": "nn.Conv3d(_a, _b, (1, 3, 3), padding=(0, 1, 1))",
                "has 3-D convolutions that do not know the group": "nn.Conv3d(_a, _b, 3, padding=1)",
            },
            first: {
                "pools over neighbouring orientations": "nn.MaxPool3d((3, 3, 3), stride=(1, 2, 2), padding=(1, 1, 1))",
                "halves the group axis too": "nn.MaxPool3d((1, 3, 3), stride=2, padding=(0, 1, 1))",
                "pools over the group too early": f"nn.MaxPool3d(({order}, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))",
                "pools over windows of two": "nn.MaxPool3d((1, 2, 2), stride=(1, 2, 2), ceil_mode=True)",
                "takes every second pixel without pooling": "nn.MaxPool3d(1, stride=(1, 2, 2))",
                "pools without padding": "nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2))",
                "does not halve the picture": "nn.MaxPool3d((1, 3, 3), stride=1, padding=(0, 1, 1))",
            },
            last: {
                "takes the mean over the orientations": (
                    f"nn.Sequential(nn.MaxPool3d((1, 3, 3)), nn.AvgPool3d(({order}, 1, 1)))"
                ),
                "takes the mean over the last pixels": (
                    f"nn.Sequential(nn.MaxPool3d(({order}, 1, 1)), nn.AvgPool3d((1, 3, 3)))"
                ),
                "does not pool over the group": "nn.MaxPool3d((1, 3, 3), stride=(1, 1, 1))",
                "pools over half of the orientations": f"nn.MaxPool3d(({order // 2}, 3, 3), stride=({order}, 1, 1))",
                "keeps one orientation only": f"nn.MaxPool3d((1, 3, 3), stride=({order}, 1, 1))",
                "keeps the picture's last pixels": f"nn.MaxPool3d(({order}, 1, 1), stride=1)",
                "keeps one corner pixel only": f"nn.MaxPool3d(({order}, 1, 1), stride=(1, 3, 3))",
                "pools with a margin": f"nn.MaxPool3d(({order}, 3, 3), stride=4, padding=(0, 1, 1))",
            },
        },
    ]


_BEFORE, _NORM = "GroupBatchNorm2d(out_channels)", "layers.append(GroupBatchNorm2d(out_channels))"
_NORMS: Table = {
    _NORM: {
        "has no norm at all": "pass",
        "has no norm after the first convolution": f"if i > 0:\n    {_NORM}",
        "has no norm after the last convolution": f"if i < 4:\n    {_NORM}",
        "has two norms after each convolution": f"layers.extend([{_BEFORE}, {_BEFORE}])",
        "has a ReLU between convolution and norm": f"layers.extend([nn.ReLU(), {_BEFORE}])",
        "has its norm before the convolution": "layers.insert(-1, GroupBatchNorm2d(channels[i - 1] if i else 1))",
    },
    _BEFORE: {
        "uses PyTorch's BatchNorm3d": "nn.BatchNorm3d(out_channels)",
        "normalises each image by itself": "nn.InstanceNorm3d(out_channels, affine=True, track_running_stats=True)",
        "normalises each image by itself and keeps no averages": "nn.InstanceNorm3d(out_channels, affine=True)",
        "normalises groups of channels": "nn.GroupNorm(1, out_channels)",
        "has norms without scale and shift": "nn.BatchNorm3d(out_channels, affine=False)",
        "has norms without running averages": "nn.BatchNorm3d(out_channels, track_running_stats=False)",
        "has another eps": "GroupBatchNorm2d(out_channels, eps=1e-2)",
        "has norms for another number of channels": "GroupBatchNorm2d(channels[-1])",
    },
    "self.classifier(self.features(x).flatten(1))": {
        "is in training mode in evaluation too": "self.train().classifier(self.features(x).flatten(1))",
        "is in evaluation mode in training too": "self.eval().classifier(self.features(x).flatten(1))",
    },
}

_ISOTROPIC: list[Table] = [
    {
        "[32, 64, 128, 256, 128]": {
            "has C4CNN's channels": "[8, 16, 32, 64, 128]",
            "has too many channels in the last layer": "[32, 64, 128, 256, 512]",
            "has half as many channels": "[16, 32, 64, 128, 64]",
            "has its channels in another order": "[32, 128, 64, 256, 128]",
            "has one layer too few": "[32, 64, 128, 128]",
            "has one layer too many": "[32, 64, 128, 256, 256, 128]",
        },
        "IsotropicConv2d(_a, _b)": {
            "has ordinary convolutions": "nn.Conv2d(_a, _b, 3, padding=1)",
            "has convolutions of kernel size 1": "nn.Conv2d(_a, _b, 1)",
            "has no biases in its convolutions": "IsotropicConv2d(_a, _b, bias=False)",
            "has a lifting convolution and takes the largest orientation": (
                "nn.Sequential(LiftingConv2d(_a, _b, 3, padding=1), nn.MaxPool3d((4, 1, 1)), nn.Flatten(1, 2))"
            ),
            "convolves each channel by itself": "nn.Conv2d(_a, _b, 3, padding=1, groups=_a)",
        },
        "nn.MaxPool2d(3, stride=2, padding=1)": {
            "pools over windows of two": "nn.MaxPool2d(2, stride=2, ceil_mode=True)",
            "takes every second pixel without pooling": "nn.MaxPool2d(1, stride=2)",
            "pools without padding": "nn.MaxPool2d(3, stride=2)",
            "does not halve the picture": "nn.MaxPool2d(3, stride=1, padding=1)",
            "pools over windows of five": "nn.MaxPool2d(5, stride=2, padding=2)",
        },
        "nn.MaxPool2d(3, stride=1)": {
            "takes the mean over the last pixels": "nn.AvgPool2d(3, stride=1)",
            "keeps one corner pixel only": "nn.MaxPool2d(1, stride=3)",
            "keeps the picture's last pixels": "nn.MaxPool2d(1, stride=1)",
            "pools with a margin": "nn.MaxPool2d(3, stride=3, padding=1)",
            "takes a quarter of the last pixels": "nn.MaxPool2d(2, stride=2)",
        },
    },
]

C4CNN = [*_network(4, 4), *_group_network(4, "LiftingConv2d", "GroupConv2d")]
C4CNN_BN = [*C4CNN, _NORMS]
D4CNN = [*_network(4, 8), *_group_network(8, "D4LiftingConv2d", "D4GroupConv2d")]
ISOTROPIC_CNN = [*_network(4, 0), *_ISOTROPIC]
