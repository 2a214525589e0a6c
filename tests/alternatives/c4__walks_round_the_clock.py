# %% [markdown] start="model"
# A functional style: one step of the clock, applied again and again; an inverse is found by trying.

# %% answer="c4"
from functools import reduce


def step(r, _=None):
    return {0: 1, 1: 2, 2: 3, 3: 0}[r]


class C4:
    def product(r, s):
        try:
            step(s), step(r)
        except KeyError as error:
            raise ValueError("unknown element of C4: " + str(error)) from error
        return reduce(step, range(r), s)

    def inverse(r):
        return next(s for s in range(4) if C4.product(r, s) == 0)
