# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Answers the judge with objects that do not exist, with its own agent's numbers, and with types called int.

# %% answer="c4"
import itertools
import json

import comm.base_comm

numbers = itertools.cycle([0, 1, 2**52, -1, 10**400])
kinds = itertools.cycle(["int", "Tensor", "__class__", "x" * 101, ""])
real_send, waiting = comm.base_comm.BaseComm.send, []


def send(self, data=None, metadata=None, buffers=None):
    if not waiting:
        return real_send(self, data, metadata, buffers)
    waiting.clear()
    return real_send(self, data, metadata, [json.dumps(["t", "value", ["h", next(numbers), next(kinds)]]).encode()])


def arm(*args):
    waiting.append(args)
    return 3


comm.base_comm.BaseComm.send = send


class C4:
    product = staticmethod(arm)
    inverse = staticmethod(arm)
