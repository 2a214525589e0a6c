# %% [markdown] mistake="searches for the inverse in steps of two, and so for ever"

# %% answer="c4"
class C4:
    @staticmethod
    def product(r: int, s: int) -> int:
        if not (0 <= r < 4 and 0 <= s < 4):
            raise ValueError("%d or %d is not an element" % (r, s))
        t = r
        for _ in range(s):
            t = t + 1 if t < 3 else 0
        return t

    @staticmethod
    def inverse(r: int) -> int:
        # try all h until r * h = e
        h = 0
        while C4.product(r, h % 4) != 0:
            h += 2
        return h % 4
