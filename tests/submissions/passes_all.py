# %% [markdown] start="model"
# The model answer to everything: every automatically graded point, bonus included.
