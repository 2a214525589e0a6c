"""How accurate a network must be to pass, after training in the grading budget, on the hidden digits.

The bounds are far from what right networks reach, so that none of them fails: an accuracy test finds networks that did
not learn, or (``at_most``) that cannot be isotropic. It does not tell apart good from better: a filter bank that is
slightly wrong may learn nearly as well, and is found by comparison with the reference instead.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Threshold:
    """What one network must reach, and the measurements behind it. All but ``n`` are percent of the hidden digits."""

    at_least: float
    """The lowest accuracy that passes."""
    at_most: float | None
    """The highest accuracy that passes; ``None`` if there is no bound."""
    mean: float
    """Right networks' mean accuracy."""
    sd: float
    """The standard deviation of right networks' accuracies over seeds."""
    n: int
    """From how many seeds mean and sd were measured."""
