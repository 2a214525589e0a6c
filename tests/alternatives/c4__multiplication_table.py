# %% [markdown] start="model"
# The whole table is written down; an inverse is looked up in it.

# %% answer="c4"
class C4:
    TABLE = ((0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2))

    @staticmethod
    def product(r, s):
        for element in (r, s):
            known(element)
        return C4.TABLE[r][s]

    @staticmethod
    def inverse(r):
        known(r)
        return C4.TABLE[r].index(0)


def known(r):
    if r not in range(4):
        raise ValueError(f"C4 has the elements 0, 1, 2 and 3, but not {r}")
