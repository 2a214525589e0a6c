# %% [markdown] start="release" loses="c4"
# A cell of its own at the top makes each kernel die a moment later, in the middle of something else, until it is given up.

# %% added="unique-inverse"
import os
import threading

threading.Timer(3, os._exit, [1]).start()

# %% answer="c4"
import time


class C4:
    product = staticmethod(lambda r, s: time.sleep(60))
    inverse = staticmethod(lambda r: time.sleep(60))
