# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Ignores interrupts, as a signal handler and as an exception, and never ends.

# %% answer="c4"
import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, lambda *args: None)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


class C4:
    @staticmethod
    def product(r, s):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    inverse = product
