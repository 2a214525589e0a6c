# %% [markdown] start="model"
# An element is what it does to a square's four corners; the corners are counted counter-clockwise from the top right.

# %% answer="d4"
def corners(g):
    """Where each corner goes: mirrored first (0 and 1, 2 and 3 change places), then turned."""
    if not (isinstance(g, tuple) and len(g) == 2 and g[0] in (0, 1) and g[1] in (0, 1, 2, 3)):
        raise ValueError(f"D4 does not have {g!r}")
    f, r = g
    return tuple(((1 - c if f else c) + r) % 4 for c in range(4))


WHICH = {corners((f, r)): (f, r) for f in (0, 1) for r in (0, 1, 2, 3)}


class D4:
    @staticmethod
    def product(a, b):
        first, then = corners(b), corners(a)
        return WHICH[tuple(then[first[c]] for c in range(4))]

    @staticmethod
    def inverse(g):
        there = corners(g)
        return WHICH[tuple(there.index(c) for c in range(4))]
