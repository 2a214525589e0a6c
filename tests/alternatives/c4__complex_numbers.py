# %% [markdown] start="model"
# The quarter turns are the powers of i; a product's number is read off its angle.

# %% answer="c4"
import cmath
import math


class C4:
    @classmethod
    def _number(cls, z: complex) -> int:
        return round(cmath.phase(z) / (math.pi / 2)) % 4

    @classmethod
    def _complex(cls, r: int) -> complex:
        if not 0 <= r <= 3:
            raise ValueError(f"there is no rotation {r} in C4")
        return cmath.rect(1.0, r * math.pi / 2)

    @classmethod
    def product(cls, r: int, s: int) -> int:
        return cls._number(cls._complex(r) * cls._complex(s))

    @classmethod
    def inverse(cls, r: int) -> int:
        return cls._number(cls._complex(r).conjugate())
