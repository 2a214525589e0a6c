# %% [markdown] mistake="writes methods of an object, which the class itself cannot call"

# %% answer="c4"
class C4:
    def product(self, r, s):
        self.check(r)
        self.check(s)
        return (r + s) % 4

    def inverse(self, r):
        self.check(r)
        return (4 - r) % 4

    def check(self, r):
        if r < 0 or r > 3:
            raise ValueError(str(r) + " is not in C4")
