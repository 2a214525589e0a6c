# %% [markdown] mistake="subtracts the turns whenever the product is a mirror image, not whenever the left factor is one"

# %% answer="d4"
class D4:
    @staticmethod
    def _validate(*elements):
        for g in elements:
            if g[0] not in range(2) or g[1] not in range(4):
                raise ValueError(f"not an element of D4: {g}")

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        D4._validate(a, b)
        mirrored = a[0] ^ b[0]
        if mirrored:
            # one F is left over, it reverses the second turn
            turns = a[1] - b[1]
        else:
            # no F, or two that cancel: turns add up
            turns = a[1] + b[1]
        return (mirrored, turns % 4)

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        D4._validate(g)
        if g[0] == 1:
            return g  # doing a mirror image twice does nothing
        return (0, (4 - g[1]) % 4)
