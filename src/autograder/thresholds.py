"""How accurate a network must be to pass, after training in the grading budget, on the hidden digits.

The bounds are far below what right networks reach, so that none of them fails: an accuracy test finds networks that did
not learn. It does not tell apart good from better: a filter bank that is slightly wrong may learn nearly as well, and a
network that is not isotropic learns better; both are found by comparison with the reference instead.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Threshold:
    """What one network must reach, and the measurements behind it. All but ``n`` are percent of the hidden digits."""

    at_least: float
    """The lowest accuracy that passes."""
    mean: float
    """Right networks' mean accuracy."""
    sd: float
    """The standard deviation of right networks' accuracies over seeds."""
    n: int
    """From how many seeds mean and sd were measured."""

    def passes(self, accuracy: float) -> bool:
        """Whether an accuracy, in percent, is enough."""
        return accuracy >= self.at_least


# Measured by `make calibrate` (rows `accuracy.<network>.grading` of benchmarks/results/calibrate.json). A right network
# misses its bound in at most 1 of 100 runs, and in at most 1 of 10,000 twice in a row: docs/tests.md has the figures.
# A network that names every digit alike gets up to 12.5 %.
GRADING = {
    "c4cnn": Threshold(at_least=85.0, mean=91.33, sd=0.49, n=30),
    "isotropic_cnn": Threshold(at_least=17.0, mean=32.86, sd=1.93, n=30),
    "c4cnn_bn": Threshold(at_least=90.0, mean=93.90, sd=0.44, n=30),
    "d4cnn": Threshold(at_least=82.0, mean=88.64, sd=0.83, n=30),
}
