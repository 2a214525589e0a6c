# %% [markdown] mistake="a mirror image in the left factor reverses both turns, also the one that stands to the left of it"

# %% answer="d4"
class D4:
    elements = [(f, r) for f in range(2) for r in range(4)]

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        for g in (a, b):
            if g not in D4.elements:
                raise ValueError(f"{g} is not one of the eight elements of D4")
        fa, ra = a
        fb, rb = b
        sense = (-1) ** fa  # seen in a mirror, everything turns the other way
        return (fa + fb) % 2, sense * (ra + rb) % 4

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        if g not in D4.elements:
            raise ValueError(f"{g} is not one of the eight elements of D4")
        for h in D4.elements:
            if D4.product(g, h) == (0, 0):
                return h
