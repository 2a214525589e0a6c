# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Starts threads without end when its answer is called; each keeps a core busy.

# %% answer="c4"
import contextlib
import threading
import time


def spin():
    end = time.time() + 20
    while time.time() < end:
        pass


def bomb(*args):
    for _ in range(2000):
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=spin, daemon=True).start()
    spin()


class C4:
    product = staticmethod(bomb)
    inverse = staticmethod(bomb)
