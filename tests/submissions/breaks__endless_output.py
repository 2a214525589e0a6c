# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Prints without end when its answer is called, to the notebook and past it.

# %% answer="c4"
import os


def talk(*args):
    while True:
        print("hostile" * 10_000)
        os.write(1, b"past the kernel" * 1000)
        os.write(2, b"past the kernel" * 1000)


class C4:
    product = staticmethod(talk)
    inverse = staticmethod(lambda r: 0)
