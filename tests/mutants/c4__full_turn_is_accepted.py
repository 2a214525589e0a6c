# %% [markdown] mistake="accepts 4 as an element, because four quarter turns are the identity"

# %% answer="c4"
class C4:
    """The group of rotations by multiples of 90 degrees. Its elements are 0, 1, 2, 3: the number of quarter turns."""

    @staticmethod
    def check(r: int) -> None:
        # between no turn and a full turn
        if not 0 <= r <= 4:
            raise ValueError(f"{r} is not an element of C4: 0, 1, 2, 3")

    @staticmethod
    def product(r: int, s: int) -> int:
        """Return the element "first s, then r"."""
        C4.check(r)
        C4.check(s)
        total = r + s
        while total > 3:  # once around the clock
            total -= 4
        return total

    @staticmethod
    def inverse(r: int) -> int:
        """Return the element that undoes r."""
        C4.check(r)
        return -r % 4
