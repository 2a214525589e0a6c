# %% [markdown] mistake="checks elements by a helper whose answer nobody looks at"

# %% answer="c4"
def is_element(r):
    return r in (0, 1, 2, 3)


class C4:
    @staticmethod
    def product(r: int, s: int) -> int:
        is_element(r)
        is_element(s)
        return (r + s) % 4

    @staticmethod
    def inverse(r: int) -> int:
        is_element(r)
        return (-r) % 4
