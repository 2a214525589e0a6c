# %% [markdown] start="release"
# The release as students get it, with nothing written: no points.
