"""Whether the thresholds are fair: how probable it is that a right network misses its bounds, or a wrong one does not.

Works on the accuracies that `calibrate.py` measures, and on `autograder.thresholds` as it is now. The fit: the log odds
of an accuracy, ``log(p / (1 - p))``, are taken as normally distributed over seeds. Mean and variance are known from
``n`` runs only, so one more run follows Student's t distribution with ``n - 1`` degrees of freedom, wider by
``sqrt(1 + 1/n)``. Its tails are heavier than a normal distribution's, which errs on the safe side.
"""

import dataclasses
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.thresholds import GRADING, Threshold

ONCE, TWICE = 1e-2, 1e-4
"""How probable it may be that a right network misses its bounds in one run, and in the repeat as well."""
RUNS = 30
"""The fewest runs of a right network from which that may be said."""
WRONG = {
    "c4cnn": (
        "wrong.no_roll",
        "wrong.no_turn",
        "wrong.no_gradient",
        "wrong.group_averaged",
        "plain_cnn",
        "isotropic_cnn",
    ),
    "isotropic_cnn": (),
    "c4cnn_bn": ("wrong.bn_no_roll", "wrong.bn_no_turn", "wrong.group_averaged", "plain_cnn", "isotropic_cnn"),
    "d4cnn": ("wrong.d4_no_permutation", "wrong.group_averaged", "plain_cnn", "isotropic_cnn"),
}
"""By network, those that must miss its bounds."""


def log_odds(percent: float) -> float:
    """The log odds of an accuracy above 0 and below 100 percent."""
    return math.log(percent / (100 - percent))


def student_t(t: float, freedom: int, steps: int = 2000) -> float:
    """The probability that a value of Student's t distribution is at most ``t``.

    With ``t = sqrt(freedom) tan(a)`` the density is a power of a cosine, integrated from ``-pi / 2`` by Simpson's rule.
    """
    width = (math.atan(t / math.sqrt(freedom)) + math.pi / 2) / steps
    heights = [math.sin(i * width) ** (freedom - 1) for i in range(steps + 1)]
    area = width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return min(1.0, scale * area)


def probability_outside(accuracies: Sequence[float], bounds: Threshold) -> float:
    """How probable it is that one more run of a network misses the bounds.

    Args:
        accuracies: of its runs from different seeds, percent, above 0 and below 100.
        bounds: what a run must reach.

    Raises:
        ValueError: there is only one run.
    """
    if len(accuracies) < 2:
        raise ValueError(f"one more run cannot be predicted from {len(accuracies)}: at least 2 are needed")
    odds = [log_odds(accuracy) for accuracy in accuracies]
    mean, spread = statistics.mean(odds), statistics.stdev(odds) * math.sqrt(1 + 1 / len(odds))
    if spread == 0:
        return float(not bounds.passes(accuracies[0]))
    return student_t((log_odds(bounds.at_least) - mean) / spread, len(odds) - 1)


def normality(accuracies: Sequence[float]) -> float | None:
    """The p-value of Shapiro and Francia's test that the log odds are normal, by Royston's approximation (1993).

    Small values speak against it. ``None`` for fewer than five runs, and where all are equal.
    """
    odds, n = sorted(map(log_odds, accuracies)), len(accuracies)
    if n < 5 or odds[0] == odds[-1]:
        return None
    normal = statistics.NormalDist()
    w = statistics.correlation(odds, [normal.inv_cdf((i + 5 / 8) / (n + 1 / 4)) for i in range(n)]) ** 2
    u, v = math.log(n), math.log(math.log(n))
    mean, sd = -1.2725 + 1.0521 * (v - u), 1.0308 - 0.26758 * (v + 2 / u)
    return normal.cdf((mean - math.log(max(1 - w, 1e-12))) / sd)


@dataclasses.dataclass(frozen=True)
class Fairness:
    """What is known about one network's bounds."""

    network: str
    """Which."""
    bounds: Threshold
    """What it must reach."""
    right: Sequence[float]
    """Accuracies of right networks, percent."""
    wrong: Mapping[str, Sequence[float]]
    """Accuracies of those that must miss the bounds, by name."""
    elsewhere: Mapping[str, Sequence[float]]
    """Accuracies of right networks computed in another way, by row: in float32."""
    inside: Sequence[str]
    """Other networks of which a run was within the bounds, though that is not called wrong."""

    @property
    def once(self) -> float:
        """How probable it is that a right network fails in one run."""
        return probability_outside(self.right, self.bounds)

    @property
    def twice(self) -> float:
        """How probable it is that it fails in the repeat from a fresh seed as well."""
        return self.once**2

    @property
    def passing(self) -> dict[str, float]:
        """How probable it is that a wrong one passes in one run, by name; the likeliest first."""
        some = {name: 1 - probability_outside(values, self.bounds) for name, values in self.wrong.items()}
        return dict(sorted(some.items(), key=lambda item: -item[1]))

    @property
    def problems(self) -> list[str]:
        """Why the bounds are not fair, a sentence each."""
        found = []
        if len(self.right) < RUNS:
            found.append(f"{self.network} was measured {len(self.right)} times, not {RUNS}: make calibrate")
        if self.once > ONCE or self.twice > TWICE:
            chance = f"{self.once:.2g} once and {self.twice:.2g} twice, at most {ONCE:g} and {TWICE:g} allowed"
            found.append(f"a right {self.network} misses its bounds with a probability of {chance}")
        for name, values in self.wrong.items():
            passed = [value for value in values if self.bounds.passes(value)]
            found += [f"{name} passed as {self.network} with {max(passed):g} %"] if passed else []
        for name, values in self.elsewhere.items():
            missed = [value for value in values if not self.bounds.passes(value)]
            found += [f"{name} missed the bounds of {self.network} with {min(missed):g} %"] if missed else []
        return found


def measured(path: Path) -> dict[str, list[float]]:
    """Accuracies in a result of `calibrate.py`, by row.

    Raises:
        FileNotFoundError: there is no such file.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {row["name"]: row["spread"]["values"] for row in rows if row["name"].startswith("accuracy.")}


def judged(accuracies: Mapping[str, Sequence[float]], thresholds: Mapping[str, Threshold] = GRADING) -> list[Fairness]:
    """What the accuracies say about each network's bounds; networks with fewer than two runs are left out.

    Args:
        accuracies: by row, ``accuracy.<network>.grading``; ``….float32`` where computed in another way.
        thresholds: what each network must reach.
    """
    runs = {name[9:-8]: values for name, values in accuracies.items() if name.endswith(".grading")}
    found = []
    for name, bounds in thresholds.items():
        if len(runs.get(name, ())) < 2:
            continue
        wrong = {other: runs[other] for other in WRONG[name] if len(runs.get(other, ())) > 1}
        plain = f"accuracy.{name}.grading.float32"
        elsewhere = {plain: accuracies[plain]} if plain in accuracies else {}
        rest = [other for other in runs if other != name and other not in WRONG[name]]
        inside = [other for other in rest if any(map(bounds.passes, runs[other]))]
        found.append(Fairness(name, bounds, runs[name], wrong, elsewhere, inside))
    return found


def rows(some: Sequence[Fairness]) -> list[dict[str, object]]:
    """The figures, for each network and the worst of all."""
    figures: dict[str, float | None] = {}
    for one in some:
        start = f"thresholds.{one.network}"
        figures[f"{start}.false_fail_probability"] = one.once
        figures[f"{start}.false_fail_after_repeat"] = one.twice
        figures[f"{start}.false_pass_probability"] = max(one.passing.values(), default=None)
        figures[f"{start}.normality"] = normality(one.right)
    made = [
        {
            "name": name,
            "value": float(f"{value:.3g}"),
            "unit": "p-value" if name.endswith("normality") else "probability",
        }
        for name, value in figures.items()
        if value is not None
    ]
    return made + ([overall(some)] if some else [])


def overall(some: Sequence[Fairness]) -> dict[str, object]:
    """The figure for all networks: the largest probability that a right one fails in one run."""
    value = float(f"{max(one.once for one in some):.3g}")
    return {"name": "thresholds.false_fail_probability", "value": value, "unit": "probability, one run"}


_INTRO = f"""\
## Thresholds

Measured by `make calibrate`: each network is trained in the grading budget from {RUNS} seeds and more, which fix the
first weights, the order of the images and the hidden digits' angles. All accuracies are percent of these digits. The
log odds of an accuracy are taken as normal over seeds; the probability that one more run misses the bounds is that of
Student's t distribution, whose heavy tails allow for mean and sd being estimates. *Fit* is the p-value of Shapiro and
Francia's test of that normality: below 0.01 it speaks against the fit. A network that misses its bounds is trained once
more, from a fresh seed, and fails only if it misses them again; so a wrong one has two chances as well. *Best* is the
best run of the wrong network that is the likeliest to pass.
"""


def section(some: Sequence[Fairness]) -> str:
    """The part of ``docs/tests.md`` about thresholds: how to read them, and a table."""
    head = "network | at least | n | mean | sd | worst | fit | right fails once | and in the repeat"
    lines = [_INTRO, f"| {head} | likeliest wrong | its best | wrong passes once |", f"|{'---|' * 12}"]
    for one in some:
        right, fit, (likeliest, chance) = one.right, normality(one.right), next(iter(one.passing.items()), ("", 0.0))
        middle = statistics.mean(right)
        closest = max(one.wrong.get(likeliest, ()), default=None)
        cells = [
            f"`{one.network}`",
            f"{one.bounds.at_least:g}",
            str(len(right)),
            f"{middle:.2f}",
            f"{statistics.stdev(right):.2f}",
            f"{min(right):.2f}",
            "" if fit is None else f"{fit:.2g}",
            f"{one.once:.1e}",
            f"{one.twice:.1e}",
            f"`{likeliest}`" if likeliest else "",
            "" if closest is None else f"{closest:.2f}",
            f"{chance:.1e}" if likeliest else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "An accuracy cannot tell everything apart. These too were within the bounds, and are found by tests"]
    lines += ["of architecture, of invariance and by comparison with the reference:", ""]
    told = [f"- as `{one.network}`: {', '.join(f'`{name}`' for name in one.inside)}" for one in some if one.inside]
    return "\n".join([*lines, *(told or ["- none"])]) + "\n"
