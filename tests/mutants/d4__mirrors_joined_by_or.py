# %% [markdown] mistake="a product with two mirror images is still mirrored: the two are joined by or, they do not cancel"

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
        # F^f1 R^r2 = R^(-r2) F^f1 when f1 is 1
        sign = -1 if f1 else 1
        return f1 | f2, (r1 + sign * r2) % 4

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        """Return the element that undoes g."""
        f, r = g
        if f not in (0, 1) or r not in (0, 1, 2, 3):
            raise ValueError(f"{g} is not an element of D4")
        if f == 1:
            return g  # mirror images undo themselves
        return 0, (4 - r) % 4
