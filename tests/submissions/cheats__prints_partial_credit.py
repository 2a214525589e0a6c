# %% [markdown] start="release" loses="c4 d4"
# Prints, displays and returns scores that a grader of partial credit might believe: NaN, infinite, negative, huge ones.

# %% added="c4"
import numpy as np
from IPython.display import display

shell = get_ipython()
scores = [float("nan"), float("inf"), -1e9, 1e9, np.float64("nan"), np.int64(1000), True, "1e9", 15.0]


def show(*args):
    for score in scores:
        print(score)
        display(score)
    shell.displayhook(scores[3])


shell.events.register("post_run_cell", show)
show()
shell.user_ns["_"] = 1e9


# %% answer="c4"
class C4:
    @staticmethod
    def product(r, s):
        show()
        return float("nan")

    @staticmethod
    def inverse(r):
        show()
        return float("inf")


# %% answer="d4"
class D4:
    product = staticmethod(lambda a, b: (float("nan"), float("nan")))
    inverse = staticmethod(lambda g: np.float64("nan"))
