# %% [markdown] mistake="combines the two bits of the elements by exclusive or, with no carry, which is the Klein group and not C4"

# %% answer="c4"
class C4:
    """The group of rotations by multiples of 90 degrees. Its elements are 0, 1, 2, 3: the number of quarter turns."""

    @staticmethod
    def product(r: int, s: int) -> int:
        """Return the element "first s, then r"."""
        for element in (r, s):
            if element not in (0, 1, 2, 3):
                raise ValueError(f"{element} is not an element of C4: 0, 1, 2, 3")
        # four elements are two bits, and two bits can never give more than 3
        return r ^ s

    @staticmethod
    def inverse(r: int) -> int:
        """Return the element that undoes r."""
        if r not in (0, 1, 2, 3):
            raise ValueError(f"{r} is not an element of C4: 0, 1, 2, 3")
        return (4 - r) % 4
