# %% [markdown] mistake="multiplies with the sign of the second factor's mirror image"

# %% answer="d4"
class D4:
    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        (f1, r1), (f2, r2) = a, b
        if f1 not in [0, 1] or r1 not in [0, 1, 2, 3]:
            raise ValueError(f"{a} not an element")
        if f2 not in [0, 1] or r2 not in [0, 1, 2, 3]:
            raise ValueError(f"{b} not an element")
        sign = 1 - 2 * f2
        return (f1 ^ f2, (sign * r1 + r2) % 4)

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        if g not in [(f, r) for f in (0, 1) for r in (0, 1, 2, 3)]:
            raise ValueError(f"{g} not an element")
        for f in (0, 1):
            for r in range(4):
                if D4.product(g, (f, r)) == (0, 0):
                    return (f, r)
