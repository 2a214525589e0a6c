# %% [markdown] start="model"
# Two lists side by side, norms defined before convolutions, pools in two dimensions with the group in the batch.

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        widths = (8, 16, 32, 64, 128)
        self.norms = nn.ModuleList([GroupBatchNorm2d(width) for width in widths])
        self.convs = nn.ModuleList([LiftingConv2d(1, 8, 3, 1)])
        self.convs.extend(GroupConv2d(a, b, 3, 1) for a, b in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x))
            if conv is self.convs[-1]:
                break
            pooled = F.max_pool2d(F.relu(x).flatten(0, 2).unsqueeze(1), 3, stride=2, padding=1)
            x = pooled.squeeze(1).unflatten(0, x.shape[:3])
        return self.head(F.relu(torch.amax(x, dim=(-3, -2, -1))))
