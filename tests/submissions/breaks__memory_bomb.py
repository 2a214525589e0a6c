# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Takes memory without end when its answer is called, in its own process and in others.

# %% answer="c4"
import os


def bomb(*args):
    hoard = []
    for _ in range(16):  # 8 GB in two processes, should the sandbox have a hole
        if len(hoard) == 2:
            os.fork()
        hoard.append(b"x" * 2**28)
    return len(hoard)


class C4:
    product = staticmethod(bomb)
    inverse = staticmethod(bomb)
