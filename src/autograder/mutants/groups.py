"""Mistakes with groups and their actions: exercises 1.2, 1.3, 2.2 and 4a.

As in the other tables of mistakes, a pattern of `autograder.mutants.patterns` has under it, by the mistake's name, what
takes its place. The names are what students will be told one day: they say what the answer does, and stay.
"""

Table = dict[str, dict[str, str]]

_RAISES: Table = {
    "raise ValueError(_m)": {
        "gives the error back in place of raising it": "return ValueError(_m)",
        "prints that an element is wrong and goes on": "print(_m)",
        "raises an IndexError for a wrong element": "raise IndexError(_m)",
        "raises a plain Exception for a wrong element": "raise Exception(_m)",
        "asserts in place of raising a ValueError": "assert False, _m",
        "does not name the wrong element": 'raise ValueError("this is not an element of the group")',
        "gives None for a wrong element": "return None",
        "raises the class without a message": "raise ValueError",
    },
}

_C4_CHECK: Table = {
    "_x not in (0, 1, 2, 3)": {
        "accepts every element": "False",
        "accepts negative elements": "_x > 3",
        "accepts elements above 3": "_x < 0",
        "accepts 4 for an element": "_x not in range(5)",
        "accepts -1 for an element": "not -1 <= _x <= 3",
        "refuses 3": "_x not in range(3)",
        "refuses the identity": "_x not in range(1, 4)",
        "looks whether the remainder is an element": "_x % 4 not in (0, 1, 2, 3)",
        "compares with a list of lists": "_x not in [[0, 1, 2, 3]]",
    },
}

C4: list[Table] = [
    _RAISES,
    _C4_CHECK,
    {
        "(r, s)": {
            "looks at its first argument only": "(r,)",
            "looks at its second argument only": "(s,)",
            "looks at neither argument": "()",
            "looks at the sum of its arguments": "(r + s,)",
        },
        "(_a + _b) % _n": {
            "forgets to wrap around": "_a + _b",
            "subtracts the first from the second": "(_b - _a) % _n",
            "subtracts the second from the first": "(_a - _b) % _n",
            "multiplies numbers of turns": "(_a * _b) % _n",
            "wraps around at 3": "(_a + _b) % 3",
            "wraps around at 8": "(_a + _b) % 8",
            "wraps around one too late": "_a + _b if _a + _b <= _n else _a + _b - _n",
            "divides in place of taking the remainder": "(_a + _b) // _n",
            "cuts off at 3 in place of wrapping around": "min(_a + _b, 3)",
            "wraps the second argument only": "_a + _b % _n",
            "combines bits in place of adding": "_a ^ _b",
            "gives a float": "float((_a + _b) % _n)",
            "gives the remainder's negative": "-((_a + _b) % _n)",
            "gives its first argument back": "_a",
            "turns once too often": "(_a + _b + 1) % _n",
        },
        "return (_a + _b) % _n": {"forgets to return": "(_a + _b) % _n"},
        "-_r % _n": {
            "gives the element itself": "_r % _n",
            "does not wrap around": "-_r",
            "gives 4 for the identity": "_n - _r",
            "wraps around at 8": "-_r % 8",
            "counts down from 3": "3 - _r",
            "adds a half turn": "(_r + 2) % _n",
            "adds a quarter turn": "(_r + 1) % _n",
            "always gives the identity": "0",
            "takes the inverse for one divided by the element": "1 / _r if _r else 0",
            "swaps 1 and 3 and loses 2": "{1: 3, 3: 1}.get(_r, 0)",
            "gives a float": "float(-_r % _n)",
        },
        "return -_r % _n": {"forgets to return": "-_r % _n"},
    },
]

D4: list[Table] = [
    _RAISES,
    {
        "f not in (0, 1) or r not in (0, 1, 2, 3)": {
            "accepts every element": "False",
            "does not look at f": "r not in (0, 1, 2, 3)",
            "does not look at r": "f not in (0, 1)",
            "refuses only what is wrong in both places": "f not in (0, 1) and r not in (0, 1, 2, 3)",
            "swaps the ranges of f and r": "r not in (0, 1) or f not in (0, 1, 2, 3)",
            "accepts negative numbers": "f > 1 or r > 3",
            "accepts 2 for f": "f not in (0, 1, 2) or r not in (0, 1, 2, 3)",
            "accepts 4 for r": "f not in (0, 1) or r not in (0, 1, 2, 3, 4)",
        },
        "(f1, r1), (f2, r2) = a, b": {
            "does a first, then b": "(f1, r1), (f2, r2) = b, a",
            "takes an element for (r, f)": "(r1, f1), (r2, f2) = a, b",
        },
        "(f1 + f2) % 2": {
            "adds mirror images up": "f1 + f2",
            "takes two mirror images for one": "f1 | f2",
            "mirrors only where both do": "f1 & f2",
            "keeps the first mirror image only": "f1",
            "keeps the second mirror image only": "f2",
            "loses the mirror image": "0",
            "gives f as True or False": "f1 != f2",
            "mirrors where neither or both do": "(f1 + f2 + 1) % 2",
        },
        "(r1 + (-r2 if f1 else r2)) % 4": {"does not wrap around": "r1 + (-r2 if f1 else r2)"},
        "r1 + (-r2 if f1 else r2)": {
            "ignores that a mirror image reverses turns": "r1 + r2",
            "turns first, then mirrors: the opposite convention": "(-r1 if f2 else r1) + r2",
            "reverses the turns of the wrong factor": "(-r1 if f1 else r1) + r2",
            "looks at the wrong mirror image": "r1 + (-r2 if f2 else r2)",
            "reverses turns where nothing is mirrored": "r1 + (r2 if f1 else -r2)",
            "always reverses the second turn": "r1 - r2",
            "reverses the turn if either factor mirrors": "r1 + (-r2 if f1 or f2 else r2)",
            "reverses the turn only if both factors mirror": "r1 + (-r2 if f1 and f2 else r2)",
            "reverses both turns": "(-(r1 + r2) if f1 else r1 + r2)",
            "loses the second turn of a mirror image": "r1 + (0 if f1 else r2)",
            "adds a half turn to a mirror image": "r1 + (r2 + 2 if f1 else r2)",
        },
        "return _f, _r": {
            "gives (r, f)": "return _r, _f",
            "gives a list": "return [_f, _r]",
            "gives the index 4f + r": "return 4 * _f + _r",
        },
        "f, r = g": {"takes an element for (r, f)": "r, f = g"},
        "(1, r) if f else (0, -r % 4)": {
            "inverts reflections like turns": "(f, -r % 4)",
            "gives the element itself": "(f, r)",
            "loses the mirror image": "(0, r) if f else (0, -r % 4)",
            "gives 4 for the identity": "(1, r) if f else (0, 4 - r)",
            "does not wrap around": "(1, r) if f else (0, -r)",
            "swaps turns and reflections": "(1, -r % 4) if f else (0, r)",
            "adds a half turn to reflections": "(1, (r + 2) % 4) if f else (0, -r % 4)",
            "mirrors turns": "(1, r) if f else (1, -r % 4)",
            "drops a reflection's turn": "(1, 0) if f else (0, -r % 4)",
            "counts down from 3": "(1, r) if f else (0, 3 - r)",
            "gives a list": "[1, r] if f else [0, -r % 4]",
        },
    },
]

TURN: Table = {
    "rotate(_x, _r)": {
        "turns clockwise": "rotate(_x, -_r)",
        "does not turn": "_x",
        "turns once too often": "rotate(_x, _r + 1)",
        "turns once too seldom": "rotate(_x, _r - 1)",
        "turns twice as far": "rotate(_x, 2 * _r)",
        "always turns once": "rotate(_x, 1)",
        "is right for a quarter turn only": "rotate(_x, min(_r, 1))",
        "forgets half turns": "rotate(_x, _r % 2)",
        "leaves the turn by 180° out": "rotate(_x, 0 if _r == 2 else _r)",
        "turns by 90° where it should by 180°": "rotate(_x, 1 if _r == 2 else _r)",
        "turns by 180° where it should by 270°": "rotate(_x, min(_r, 2))",
        "transposes in place of turning": "_x.mT if _r % 2 else _x",
        "mirrors before it turns": "rotate(_x.flip(-1), _r)",
        "mirrors up and down in place of turning": "_x.flip(-2) if _r % 2 else _x",
        "moves pixels in place of turning": "_x.roll(_r, -1)",
        "turns in a plane of the group axis": "torch.rot90(_x, _r, (-3, -2))",
        "turns in a plane of the columns and the group axis": "torch.rot90(_x, _r, (-3, -1))",
    },
}

ROLL: Table = {
    "_x.roll(_r, -3)": {
        "rolls the group axis the other way": "_x.roll(-_r, -3)",
        "does not roll the group axis": "_x",
        "rolls the channels in place of the orientations": "_x.roll(_r, -4)",
        "rolls rows in place of orientations": "_x.roll(_r, -2)",
        "rolls columns in place of orientations": "_x.roll(_r, -1)",
        "counts axes from the front": "_x.roll(_r, 2)",
        "always rolls by one": "_x.roll(1, -3)",
        "rolls by twice as much": "_x.roll(2 * _r, -3)",
        "rolls by one too many": "_x.roll(_r + 1, -3)",
        "rolls by one at most": "_x.roll(min(_r, 1), -3)",
        "reverses the group axis in place of rolling": "_x.flip(-3) if _r else _x",
        "rolls all numbers as one long line": "_x.roll(_r)",
        "swaps orientations 0 and 2 in place of rolling": "_x.roll(2 * (_r % 2), -3)",
        "moves orientations on without bringing the last round": (
            "torch.cat([torch.zeros_like(_x[..., :_r, :, :]), _x[..., : 4 - _r, :, :]], dim=-3)"
        ),
    },
}

ROTATE_P4: list[Table] = [
    TURN,
    ROLL,
    {
        "rotate(y, r).roll(r, -3)": {
            "rolls and turns a fixed number of times": "rotate(y, 1).roll(1, -3) if r else y",
            "adds the turned function to the old one": "y + rotate(y, r).roll(r, -3)",
            "computes in single precision": "rotate(y.float(), r).roll(r, -3)",
            "takes the mean over the orientations": "rotate(y, r).mean(-3, keepdim=True).expand_as(y)",
        },
    },
]

_PERMUTED = "[4, 7, 6, 5, 0, 3, 2, 1]"
D4_ACTION: list[Table] = [
    TURN,
    ROLL,
    {
        "f, r = g": {"takes an element for (r, f)": "r, f = g"},
        "reflect(_x)": {
            "does not mirror the pixels": "_x",
            "mirrors up and down": "_x.flip(-2)",
            "turns by 180° in place of mirroring": "_x.flip(-1, -2)",
            "transposes in place of mirroring": "_x.mT",
            "reverses the group axis in place of mirroring": "_x.flip(-3)",
        },
        _PERMUTED: {
            "does not permute the group axis": "[0, 1, 2, 3, 4, 5, 6, 7]",
            "swaps the halves without reversing them": "[4, 5, 6, 7, 0, 1, 2, 3]",
            "reverses the halves without swapping them": "[0, 3, 2, 1, 4, 7, 6, 5]",
            "reverses the whole group axis": "[7, 6, 5, 4, 3, 2, 1, 0]",
            "reverses each half in place, its first element too": "[3, 2, 1, 0, 7, 6, 5, 4]",
            "reverses one half only": "[4, 7, 6, 5, 0, 1, 2, 3]",
            "permutes by the mirror image that swaps up and down": "[6, 5, 4, 7, 2, 1, 0, 3]",
            "takes one element twice": "[4, 7, 6, 5, 0, 3, 2, 2]",
        },
        f"_y = reflect(_y)[..., {_PERMUTED}, :, :]": {
            "turns first, then mirrors": (
                f"turns, mirrored = rotate(_y, r).split(4, dim=-3)\n"
                f"_y = torch.cat([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-3)\n"
                f"return reflect(_y)[..., {_PERMUTED}, :, :]"
            ),
            "never mirrors": "pass",
        },
        "torch.cat([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-3)": {
            "rolls all numbers of both halves as one long line": "torch.cat([turns.roll(r), mirrored.roll(r)], dim=-3)",
            "rolls all eight as one circle": "torch.cat([turns, mirrored], dim=-3).roll(r, -3)",
            "puts the mirrored half first": "torch.cat([mirrored.roll(r, -3), turns.roll(r, -3)], dim=-3)",
            "joins the halves along the rows": "torch.cat([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-2)",
            "alternates turns and mirror images": (
                "torch.stack([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-3).flatten(-4, -3)"
            ),
        },
    },
]
