# %% [markdown] mistake="inverts F and R one by one and keeps their order"

# %% answer="d4"
class D4:
    """The symmetries of a square."""

    @staticmethod
    def check(g):
        f, r = g
        if not (0 <= f <= 1) or not (0 <= r <= 3):
            raise ValueError(f"Not an element of D4: {g}")

    @staticmethod
    def product(a, b):
        D4.check(a)
        D4.check(b)
        f = (a[0] + b[0]) % 2
        r = (a[1] + (-1) ** a[0] * b[1]) % 4
        return f, r

    @staticmethod
    def inverse(g):
        D4.check(g)
        return g[0], (4 - g[1]) % 4
