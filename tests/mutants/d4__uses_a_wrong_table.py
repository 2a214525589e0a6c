# %% [markdown] mistake="has two entries of its product table swapped"

# %% answer="d4"
class D4:
    @staticmethod
    def product(a, b):
        elements = [(f, r) for f in range(2) for r in range(4)]
        for e in (a, b):
            if e not in elements:
                raise ValueError(f"{e} is not an element of D4")
        # rows: a, columns: b, in the order of elements
        table = [
            [0, 1, 2, 3, 4, 5, 6, 7],
            [1, 2, 3, 0, 5, 6, 7, 4],
            [2, 3, 0, 1, 6, 7, 4, 5],
            [3, 0, 1, 2, 7, 4, 5, 6],
            [4, 7, 6, 5, 0, 3, 2, 1],
            [5, 4, 7, 6, 1, 0, 3, 2],
            [6, 5, 4, 7, 2, 1, 3, 0],
            [7, 6, 5, 4, 3, 2, 1, 0],
        ]
        return elements[table[elements.index(a)][elements.index(b)]]

    @staticmethod
    def inverse(g):
        if g not in [(f, r) for f in range(2) for r in range(4)]:
            raise ValueError(f"{g} is not an element of D4")
        f, r = g
        if f == 0:
            r = (4 - r) % 4
        return (f, r)
