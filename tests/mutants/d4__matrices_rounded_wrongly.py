# %% [markdown] mistake="reads the angle of a matrix off without its mirror image"

# %% answer="d4"
import numpy as np


def matrix(f, r):
    R = np.array([[0, -1], [1, 0]])
    F = np.array([[-1, 0], [0, 1]])
    return np.linalg.matrix_power(R, r) @ np.linalg.matrix_power(F, f)


def element(m):
    f = int(round(np.linalg.det(m))) < 0
    angle = np.arctan2(m[1, 0], m[0, 0])
    return int(f), int(round(angle / (np.pi / 2))) % 4


class D4:
    @staticmethod
    def product(a, b):
        for g in (a, b):
            if g[0] not in (0, 1) or g[1] not in (0, 1, 2, 3):
                raise ValueError(f"{g} is not in D4")
        return element(matrix(*a) @ matrix(*b))

    @staticmethod
    def inverse(g):
        if g[0] not in (0, 1) or g[1] not in (0, 1, 2, 3):
            raise ValueError(f"{g} is not in D4")
        return element(np.linalg.inv(matrix(*g)))
