# %% [markdown] mistake="has one norm per network in place of one per layer"

# %% answer="c4cnn-bn"
class C4CNNWithBatchNorm(C4CNN):
    def __init__(self, n_classes: int = 10):
        super().__init__(n_classes)
        self.norm = GroupBatchNorm2d(8)
        self.features.insert(1, self.norm)
