# %% [markdown] start="model"
# Case by case, with the powers of two mirror images counted by hand.

# %% answer="d4"
class D4:
    @staticmethod
    def check(*elements):
        for g in elements:
            if g not in [(f, r) for f in range(2) for r in range(4)]:
                raise ValueError("not an element of D4: " + repr(g))

    @staticmethod
    def product(a, b):
        D4.check(a, b)
        f, r = b
        if a[0] == 1:
            f, r = 1 - f, -r
        r += a[1]
        while r < 0:
            r += 4
        while r >= 4:
            r -= 4
        return (f, r)

    @staticmethod
    def inverse(g):
        D4.check(g)
        if g[0] == 1 or g[1] % 2 == 0:
            return g  # half a turn and every mirror image undo themselves
        return (0, 4 - g[1])
