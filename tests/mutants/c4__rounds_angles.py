# %% [markdown] mistake="goes by way of angles and cuts them off in place of rounding"

# %% answer="c4"
import math


class C4:
    @staticmethod
    def product(r, s):
        for x in (r, s):
            if x not in range(4):
                raise ValueError(f"{x} not in C4")
        angle = (math.radians(90 * r) + math.radians(90 * s)) % (2 * math.pi)
        return int(math.degrees(angle) / 90)

    @staticmethod
    def inverse(r):
        if r not in range(4):
            raise ValueError(f"{r} not in C4")
        angle = (2 * math.pi - math.radians(90 * r)) % (2 * math.pi)
        return int(math.degrees(angle) / 91)
