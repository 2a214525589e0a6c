# %% [markdown] mistake="looks elements up in a table, whose negative indices count from the end: -1 passes as an element"

# %% answer="c4"
class C4:
    """The quarter turns, by their multiplication table."""

    TABLE = [
        [0, 1, 2, 3],
        [1, 2, 3, 0],
        [2, 3, 0, 1],
        [3, 0, 1, 2],
    ]

    @staticmethod
    def row(r):
        try:
            return C4.TABLE[r]
        except IndexError:
            raise ValueError(f"{r} is not an element of C4") from None

    @staticmethod
    def product(r: int, s: int) -> int:
        C4.row(s)  # is s an element?
        return C4.row(r)[s]

    @staticmethod
    def inverse(r: int) -> int:
        # the column in which the row of r has the identity
        return C4.row(r).index(0)
