# %% [markdown] start="model"
# One nn.Sequential made by a function, with the dropout of nothing at its end.

# %% answer="c4cnn-bn"
from collections import OrderedDict


def stage(number, before, after):
    convolution = GroupConv2d(before, after, kernel_size=3, padding=1) if number else LiftingConv2d(1, after, 3, 1)
    last = number == 4
    pool = nn.MaxPool3d((4, 3, 3), 1) if last else nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    parts = [("convolution", convolution), ("norm", GroupBatchNorm2d(after)), ("relu", nn.ReLU())]
    return nn.Sequential(OrderedDict([*parts, ("pool", pool)]))


class C4CNNWithBatchNorm(nn.Sequential):
    def __init__(self, n_classes=10):
        widths = [1, 8, 16, 32, 64, 128]
        stages = [stage(i, widths[i], widths[i + 1]) for i in range(5)]
        super().__init__(*stages, nn.Flatten(start_dim=1), nn.Dropout(0.0), nn.Linear(128, n_classes))
