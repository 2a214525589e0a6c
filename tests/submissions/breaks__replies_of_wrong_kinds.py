# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Answers the judge with NaN, infinities, tensors whose bytes do not fit their shape, unknown kinds, pickles and noise.

# %% answer="c4"
import itertools

import comm.base_comm

replies = itertools.cycle(
    [
        [b'["t","value",NaN]'],
        [b'["t","value",["f","nan"]]'],
        [b'["t","value",["T","float64",[9999999999,9999999999],true]]', b"12345678"],
        [b"\x80\x04\x95cposix\nsystem\n(S'touch hostile-sample-was-here'\ntR."],
    ]
)
real_send, waiting = comm.base_comm.BaseComm.send, []


def send(self, data=None, metadata=None, buffers=None):
    if not waiting:
        return real_send(self, data, metadata, buffers)
    waiting.clear()
    return real_send(self, data, metadata, next(replies))


def arm(*args):
    waiting.append(args)
    return 3


comm.base_comm.BaseComm.send = send


class C4:
    product = staticmethod(arm)
    inverse = staticmethod(arm)
