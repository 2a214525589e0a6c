"""How much training a run may spend: the named budgets, and the learning rate of each of their steps."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much training a run may spend."""

    name: str
    """What the budget is called."""
    epochs: float
    """How many times the training images, or their share, are gone through; may be a fraction."""
    batch_size: int = 50
    """Images per step."""
    learning_rate: float = 4e-3
    """Adam's largest learning rate."""
    warm_up: float = 0.3
    """Share of all steps in which the learning rate rises from 0 to its largest value, before it falls to 0 again."""
    turned: bool = False
    """Whether every training image is turned by another random angle in every epoch."""
    stretched: float = 0.0
    """By up to what share it is then stretched or squeezed along two axes at right angles, and slanted; with turned."""
    share: float = 1.0
    """Share of the training images that an epoch goes through: all hard ones and a choice of the easy ones, which count
    the more (see `gcnn.selection`)."""
    muon: float = 0.0
    """Muon's largest learning rate for filters, see `gcnn.optimizers`; Adam has the others, and all if this is 0."""
    smoothing: float = 0.0
    """How much of a label's weight is spread over all classes."""
    parts: int = 1
    """Into how many parts an epoch is cut: after each, progress is measured, shown and stored."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can use."""
        wanted = {
            "epochs": (math.isfinite(self.epochs) and self.epochs > 0, "a number above 0"),
            "batch_size": (isinstance(self.batch_size, int) and self.batch_size > 0, "a whole number above 0"),
            "learning_rate": (math.isfinite(self.learning_rate) and self.learning_rate > 0, "a number above 0"),
            "warm_up": (0 <= self.warm_up < 1, "at least 0 and below 1"),
            "turned": (isinstance(self.turned, bool), "True or False"),
            "stretched": (self.stretched == 0 or (self.turned and 0 < self.stretched < 1), "0, or below 1 with turned"),
            "share": (0 < self.share <= 1, "above 0 and at most 1"),
            "muon": (math.isfinite(self.muon) and self.muon >= 0, "a number from 0"),
            "smoothing": (0 <= self.smoothing < 1, "at least 0 and below 1"),
            "parts": (self._parts_fit(), "a whole number from 1, and 1 where images are chosen or turned anew"),
        }
        for field, (right, what) in wanted.items():
            if not right:
                raise ValueError(f"a budget's {field} must be {what}; got {getattr(self, field)!r}")

    def _parts_fit(self) -> bool:
        whole = isinstance(self.parts, int) and self.parts > 0
        return whole and (self.parts == 1 or (self.share == 1 and not self.turned))

    def rate(self, step: int, steps: int) -> float:
        """Adam's learning rate in step 0 … steps - 1."""
        return self.learning_rate * self.course(step, steps)

    def course(self, step: int, steps: int) -> float:
        """By what the largest rates are multiplied: a linear rise to 1, then half a cosine down to almost 0."""
        rise = self.warm_up * steps
        if step + 1 < rise:
            return (step + 1) / rise
        return (1 + math.cos(math.pi * (step + 1 - rise) / (steps + 1 - rise))) / 2


BUDGETS = {
    # Four steps: does the network train at all?
    "trial": Budget("trial", epochs=0.02),
    # What a grader's run spends: on two CPU cores 8 s for C4CNN and 17 s for D4CNN, twice that without bfloat16. With
    # Muon, wrong networks would come nearer to right ones.
    "grading": Budget("grading", epochs=0.8),
    # A student's default: about as accurate as Adam alone in twice as many epochs.
    "standard": Budget("standard", epochs=2, muon=0.02, parts=2),
    # Four times a student's default. The original took 30 epochs.
    "full": Budget("full", epochs=8, muon=0.02),
    # As accurate as these networks get here: eight minutes for C4CNN with normalisation on two CPU cores that multiply
    # bfloat16 numbers. An epoch goes through 55 % of the training images.
    "record": Budget(
        "record",
        epochs=72,
        batch_size=100,
        learning_rate=6e-3,
        warm_up=0.15,
        turned=True,
        stretched=0.2,
        share=0.55,
        muon=0.02,
        smoothing=0.1,
    ),
}
