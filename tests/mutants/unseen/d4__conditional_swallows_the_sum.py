# %% [markdown] mistake="the conditional expression covers the whole sum, so that without a mirror image on the left the left turns are dropped"

# %% answer="d4"
class D4:
    """The symmetries of a square. The element (f, r) is R^r F^f: mirror left-right if f is 1, then turn r times."""

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        """Return the element "first b, then a"."""
        for g in (a, b):
            if g[0] not in (0, 1) or g[1] not in (0, 1, 2, 3):
                raise ValueError(f"{g} is not an element of D4")
        f1, r1 = a
        f2, r2 = b
        # R^r1 F^f1 R^r2 F^f2: R^r2 changes its sign on the way past F
        return (f1 + f2) % 2, (r1 - r2 if f1 else r2) % 4

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        """Return the element that undoes g."""
        f, r = g
        if f not in (0, 1) or r not in (0, 1, 2, 3):
            raise ValueError(f"{g} is not an element of D4")
        return (f, r if f else -r % 4)
