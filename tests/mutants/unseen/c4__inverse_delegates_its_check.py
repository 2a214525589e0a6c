# %% [markdown] mistake="inverse leaves the check to product, which it hands 3 - r, so that the message names 3 - r and not the offending r"

# %% answer="c4"
class C4:
    """The group of rotations by multiples of 90 degrees. Its elements are 0, 1, 2, 3: the number of quarter turns."""

    @staticmethod
    def product(r: int, s: int) -> int:
        """Return the element "first s, then r"."""
        for t in [r, s]:
            if t not in range(4):
                raise ValueError(f"{t} is not an element of C4: 0, 1, 2, 3")
        total = r + s
        return total - 4 if total > 3 else total

    @staticmethod
    def inverse(r: int) -> int:
        """Return the element that undoes r."""
        # 3 - r turns make it three quarter turns, one more makes it a full one. product does the checking.
        return C4.product(3 - r, 1)
