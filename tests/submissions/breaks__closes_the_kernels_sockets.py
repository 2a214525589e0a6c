# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="d4"
# Closes every file and socket of the kernel, and its ZeroMQ context, when its answer is called.

# %% answer="d4"
import os

import zmq
from ipykernel.kernelbase import Kernel


def close_everything(*args):
    kernel = Kernel.instance()
    kernel.iopub_thread.socket.close(0)
    os.closerange(3, 1024)
    zmq.Context.instance().destroy(0)


class D4:
    product = staticmethod(close_everything)
    inverse = staticmethod(close_everything)
