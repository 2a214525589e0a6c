# %% [markdown] mistake="the message always names the first element, even when the second one is the wrong one"

# %% answer="c4"
class C4:
    elements = range(4)

    @staticmethod
    def product(r: int, s: int) -> int:
        if r not in C4.elements or s not in C4.elements:
            raise ValueError(f"{r} is not an element of C4: 0, 1, 2, 3")
        return (r + s) % 4

    @staticmethod
    def inverse(r: int) -> int:
        if r not in C4.elements:
            raise ValueError(f"{r} is not an element of C4: 0, 1, 2, 3")
        return (4 - r) % 4
