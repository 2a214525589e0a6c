# %% [markdown] start="model"
# Elements are integer matrices of PyTorch's; what a product is called is looked up.

# %% answer="d4"
class D4:
    R = torch.tensor([[0, -1], [1, 0]])
    F = torch.tensor([[-1, 0], [0, 1]])
    elements = {}
    for f in range(2):
        for r in range(4):
            elements[f, r] = torch.linalg.matrix_power(R.double(), r).long() @ (F if f else torch.eye(2).long())

    @classmethod
    def _matrix(cls, g):
        try:
            return cls.elements[g]
        except KeyError:
            raise ValueError(f"{g} is not in D4") from None

    @classmethod
    def _name(cls, matrix):
        (name,) = (g for g, m in cls.elements.items() if torch.equal(m, matrix))
        return name

    @classmethod
    def product(cls, a, b):
        return cls._name(cls._matrix(a) @ cls._matrix(b))

    @classmethod
    def inverse(cls, g):
        return cls._name(cls._matrix(g).mT.contiguous())
