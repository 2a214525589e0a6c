# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4 d4"
# Recurses without end: in Python with the limit taken away, in printing, comparing and building its answer.

# %% answer="c4"
import sys

sys.setrecursionlimit(10**9)


class C4:
    @staticmethod
    def product(r, s):
        return repr(C4.product(s, r)) + str(C4.product(r, s))

    @staticmethod
    def inverse(r):
        nested = []
        for _ in range(200_000):
            nested = [nested]
        return nested


# %% answer="d4"
class D4:
    @staticmethod
    def product(a, b):
        itself = []
        itself.append(itself)
        return itself

    @staticmethod
    def inverse(g):
        itself = {}
        itself["again"] = (itself, itself)
        return itself
