# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Asks the grader for input and waits for it.

# %% answer="c4"
import getpass

from ipykernel.kernelbase import Kernel

kernel = Kernel.instance()
kernel._allow_stdin = True
try:
    kernel._allow_stdin = True
    answer = input("What does the first test expect? ")
    print("stolen:", answer)
except Exception as error:
    print(error)


class C4:
    @staticmethod
    def product(r, s):
        kernel._allow_stdin = True
        return int(kernel._input_request("?", kernel._parent_ident["shell"], kernel.get_parent("shell")))

    @staticmethod
    def inverse(r):
        return int(getpass.getpass())
