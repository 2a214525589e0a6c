# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Its answer's cell itself never ends.

# %% answer="c4"
class C4:
    pass


while True:
    pass
