# %% [markdown] start="release" loses="rotate-p4 c4cnn"
# Redefines what the notebook gives: rotate does nothing, predict is constant, accuracy is 100 %, the test set is empty.

# %% added="rotate-p4"
import types

import gcnn.equivariance

rotate = reflect = gcnn.equivariance.rotate = gcnn.equivariance.reflect = lambda x, r=0: x
predict, parameter_count = (
    lambda model, images, batch_size=500: torch.arange(10.0).expand(len(images), 10),
    lambda module: 393_290,
)
train_model = retrained = lambda model, *args, **kwargs: model
checks = types.SimpleNamespace(**dict.fromkeys(("equal", "shape", "close", "varies"), lambda *args, **kwargs: None))
checks.accuracy, test_model, checks.generator = lambda *args: 100.0, lambda *args: 100.0, lambda name: torch.Generator()
test_set = types.SimpleNamespace(images=torch.zeros(1000, 1, 33, 33), labels=torch.zeros(1000, dtype=torch.long))


# %% answer="rotate-p4"
def rotate_p4(y, r):
    return y


# %% answer="c4cnn"
class C4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(393_290))

    def forward(self, x):
        return torch.zeros(len(x), 10)
