# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Starts processes that start processes when its answer is called.

# %% answer="c4"
import os
import time


def bomb(*args):
    end = time.time() + 20  # should the sandbox have a hole
    for _ in range(10):  # 1,024 processes at most
        try:
            os.fork()
        except OSError:
            time.sleep(0.1)
    while time.time() < end:
        time.sleep(1)
    return 3


class C4:
    product = staticmethod(bomb)
    inverse = staticmethod(bomb)
