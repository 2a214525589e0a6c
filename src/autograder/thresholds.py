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


# Measured by benchmarks/accuracy.py (rows `accuracy.<network>.grading` of benchmarks/results/accuracy.json). Each bound
# is at least five standard deviations from the mean. A network that names every digit alike gets up to 12.5 %.
GRADING = {
    "c4cnn": Threshold(at_least=85.0, at_most=None, mean=91.3, sd=0.44, n=5),
    "isotropic_cnn": Threshold(at_least=17.0, at_most=60.0, mean=29.6, sd=2.31, n=5),
    "c4cnn_bn": Threshold(at_least=88.0, at_most=None, mean=93.6, sd=0.60, n=5),
    "d4cnn": Threshold(at_least=80.0, at_most=None, mean=88.6, sd=0.64, n=5),
}
