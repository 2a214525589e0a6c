# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4 d4"
# Raises exceptions whose message never ends, is of the wrong type, kills, or holds what a terminal or browser would obey.

# %% answer="c4"
class Endless(ValueError):
    def __str__(self):
        return "4" * 10**9

    def __del__(self):
        raise Endless

    __repr__ = __str__


class C4:
    @staticmethod
    def product(r, s):
        raise Endless from Endless()

    @staticmethod
    def inverse(r):
        raise ValueError("-1 \x1b]0;owned\x07\x1b[2J\ud800\x00<script>alert(1)</script>" + "\u202e" * 1000)


# %% answer="d4"
class Wrong(Exception):
    def __str__(self):
        return 3

    @property
    def args(self):
        raise SystemExit


Wrong.__name__ = Wrong.__qualname__ = "<img src=x onerror=alert(1)>" * 100


class D4:
    @staticmethod
    def product(a, b):
        raise Wrong("All public checks of D4.product passed.")

    @staticmethod
    def inverse(g):
        raise KeyboardInterrupt
