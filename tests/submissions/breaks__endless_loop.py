# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Loops without end when its answer is called.

# %% answer="c4"
class C4:
    @staticmethod
    def product(r, s):
        while True:
            pass

    inverse = staticmethod(lambda r: 0)
