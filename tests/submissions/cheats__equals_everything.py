# %% [markdown] start="release" loses="c4 d4 isotropic-conv rotate-p4 lifting-conv c4cnn"
# Answers with objects that are equal to everything, have every attribute, and claim to be of every type.

# %% answer="c4"
class Anything(int):
    def _self(self, *args, **kwargs):
        return self

    __call__ = __getitem__ = __getattr__ = __add__ = __sub__ = __mul__ = __truediv__ = __abs__ = __neg__ = _self
    amax = flatten = detach = cpu = state_dict = eval = train = to = _self

    def _yes(self, *args):
        return True

    __eq__ = __le__ = __lt__ = __ge__ = __gt__ = __contains__ = __instancecheck__ = _yes
    __hash__ = int.__hash__

    def __ne__(self, other):
        return False

    def __iter__(self):
        return iter([self, self])

    def __len__(self):
        return 2

    def __array__(self, *args, **kwargs):
        raise StopIteration

    def __repr__(self):
        return "3"

    @property
    def __class__(self):
        return torch.Tensor


C4 = Anything(3)

# %% answer="d4"
D4 = Anything(3)

# %% answer="isotropic-conv"
IsotropicConv2d = Anything(3)

# %% answer="rotate-p4"
rotate_p4 = Anything(3)

# %% answer="lifting-conv"
LiftingConv2d = Anything(3)

# %% answer="c4cnn"
C4CNN = c4cnn = Anything(3)
