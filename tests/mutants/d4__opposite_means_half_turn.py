# %% [markdown] mistake="a turn that moves past the mirror gets half a turn added in place of changing its sense"

# %% answer="d4"
ELEMENTS_OF_D4 = [(f, r) for f in (0, 1) for r in (0, 1, 2, 3)]


class D4:
    """The symmetries of a square. The element (f, r) is R^r F^f: mirror left-right if f is 1, then turn r times."""

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        """Return the element "first b, then a"."""
        for g in (a, b):
            if g not in ELEMENTS_OF_D4:
                raise ValueError(f"{g} is not in D4")
        f1, r1 = a
        f2, r2 = b
        if f1 == 1:
            # F R = R^-1 F = R^3 F: behind the mirror the turn points the opposite way
            r2 = r2 + 2
        return (f1 + f2) % 2, (r1 + r2) % 4

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        """Return the element that undoes g."""
        if g not in ELEMENTS_OF_D4:
            raise ValueError(f"{g} is not in D4")
        f, r = g
        # mirrored elements are their own inverses, turns are turned back
        return (f, r) if f == 1 else (f, (4 - r) % 4)
