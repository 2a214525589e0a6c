# %% [markdown] mistake="counts the elements from 1 to 4"

# %% answer="c4"
class C4:
    ELEMENTS = [1, 2, 3, 4]

    @staticmethod
    def product(r, s):
        if r not in C4.ELEMENTS:
            raise ValueError(f"{r} is not an element of C4")
        if s not in C4.ELEMENTS:
            raise ValueError(f"{s} is not an element of C4")
        p = r + s - 1
        if p > 4:
            p = p - 4
        return p

    @staticmethod
    def inverse(r):
        if r not in C4.ELEMENTS:
            raise ValueError(f"{r} is not an element of C4")
        return 6 - r if r > 1 else 1
