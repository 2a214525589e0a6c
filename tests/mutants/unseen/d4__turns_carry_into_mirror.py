# %% [markdown] mistake="adds the indices 4f + r modulo 8, so that four turns carry over into a mirror image"

# %% answer="d4"
def check_element(g):
    f, r = g
    if f not in (0, 1) or r not in (0, 1, 2, 3):
        raise ValueError(f"{g} is not an element of D4")


class D4:
    """The symmetries of a square. The element (f, r) is R^r F^f: mirror left-right if f is 1, then turn r times."""

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        """Return the element "first b, then a"."""
        check_element(a)
        check_element(b)
        (f1, r1), (f2, r2) = a, b
        if f1 == 1:
            r2 = 3 * r2  # F R = R^-1 F = R^3 F, once for each turn
        # number the elements 0 to 7
        i, j = 4 * f1 + r1, 4 * f2 + r2
        return divmod((i + j) % 8, 4)

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        """Return the element that undoes g."""
        check_element(g)
        f, r = g
        if f == 1:
            return (1, r)
        return (0, (4 - r) % 4)
