# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4 d4"
# Its answers send SIGKILL to everything that they may: themselves, their parent, process 1, and all at once.

# %% answer="c4"
import os
import signal

os.kill(os.getppid(), signal.SIGKILL) if os.getppid() > 1 else None
for victim in (1, -1, 0, os.getpid()):  # inside, these are the sandbox's own
    try:
        os.kill(victim, signal.SIGKILL)
    except OSError as error:
        print(error)


class C4:
    product = inverse = None


# %% answer="d4"
import os
import signal


class D4:
    product = staticmethod(lambda a, b: os.kill(os.getpid(), signal.SIGSEGV))
    inverse = staticmethod(lambda g: os.killpg(0, signal.SIGKILL))
