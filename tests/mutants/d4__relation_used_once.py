# %% [markdown] mistake="rewrites FR as RRRF in one pass only, so F moves past one turn and not past all"

# %% answer="d4"
class D4:
    """Elements (f, r) as words in the letters R and F."""

    @staticmethod
    def check(g):
        f, r = g
        if f not in (0, 1) or r not in (0, 1, 2, 3):
            raise ValueError(f"{g} is no element of D4")

    @staticmethod
    def word(g):
        f, r = g
        return "R" * r + "F" * f

    @staticmethod
    def simplify(word):
        # F R = R^-1 F = R R R F
        word = word.replace("FR", "RRRF")
        return word.count("F") % 2, word.count("R") % 4

    @staticmethod
    def product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        D4.check(a)
        D4.check(b)
        return D4.simplify(D4.word(a) + D4.word(b))

    @staticmethod
    def inverse(g: tuple[int, int]) -> tuple[int, int]:
        D4.check(g)
        # read the word backwards and undo each letter: F by F, R by RRR
        undo = {"F": "F", "R": "RRR"}
        return D4.simplify("".join(undo[letter] for letter in reversed(D4.word(g))))
