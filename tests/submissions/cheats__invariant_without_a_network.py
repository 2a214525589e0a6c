# %% [markdown] start="release" loses="c4cnn isotropic-cnn"
# Answers two networks with a few sums over pixels that no turn or mirror image changes, and the wanted parameter count.

# %% added="c4cnn"
class Sums(nn.Module):
    def __init__(self, count, n_classes=10):
        super().__init__()
        self.classifier = nn.Linear(4, n_classes)
        self.spare = nn.Parameter(torch.zeros(count - 50))

    def forward(self, x):
        radius = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype, device=x.device) ** 2
        radius = radius[:, None] + radius
        return self.classifier(torch.stack([(x * radius**k).mean((1, 2, 3)) for k in range(4)], dim=1))


# %% answer="c4cnn"
class C4CNN(Sums):
    def __init__(self, n_classes=10):
        super().__init__(393_290, n_classes)


# %% answer="isotropic-cnn"
class IsotropicCNN(Sums):
    def __init__(self, n_classes=10):
        super().__init__(153_514, n_classes)
