"""Pictures of `gcnn.learning`'s measurements: accuracy against the number of training digits, and how these stood."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import NullLocator

from gcnn.learning import GROUPS, SIZES, measurements
from gcnn.plots.picture import Picture, add_legend, dress, looks_of, mark_circle


def accuracy_by_digits(own: Mapping[str, Mapping[int, float]] | None = None) -> Picture:
    """Accuracy on the public test digits against the number of training digits, as it was measured before.

    Lines are means over seeds, bands reach from the lowest to the highest.

    Args:
        own: runs of the reader's own, drawn as rings: by the network's name, percent by number of digits.

    Raises:
        ValueError: runs of another form, or an accuracy outside 0 … 100.
    """
    own = _checked_runs({} if own is None else own)
    before, looks = measurements(), looks_of([*measurements()["accuracy"], *own])
    figure = Picture(9.5, 4.6)
    ax, entries, words, lowest = figure.subplots(), {}, [], 100.0
    for name, by_digits in before["accuracy"].items():
        sizes = [int(digits) for digits in by_digits]
        means = [float(np.mean(values)) for values in by_digits.values()]
        low, high = ([pick(values) for values in by_digits.values()] for pick in (min, max))
        ax.fill_between(sizes, low, high, color=looks[name]["color"], alpha=0.2, linewidth=0)
        ax.plot(sizes, means, **looks[name], linewidth=2)
        entries[f"{name}, {before['parameters'][name]:,} parameters"] = {**looks[name], "linewidth": 2}
        words.append(f"{name}: " + ", ".join(f"{n:,}: {a:.1f} %" for n, a in zip(sizes, means, strict=True)) + ".")
        lowest = min(lowest, *low)
    ring = {"linestyle": "none", "markersize": 15, "mfc": "none", "mew": 2.5, "marker": "o"}
    for name, runs in own.items():
        ax.plot(list(runs), list(runs.values()), **ring, color=looks[name]["color"], zorder=5)
        words.append(f"Your {name}: " + ", ".join(f"{n:,}: {a:.1f} %" for n, a in runs.items()) + ".")
        lowest = min(lowest, *runs.values())
    if own:
        entries["your own run"] = {**ring, "markersize": 11, "color": "0.4"}
    runs = min(len(values) for by_digits in before["accuracy"].values() for values in by_digits.values())
    measured = "one run each" if runs == 1 else f"mean of {runs} runs"
    dress(ax, "training digits", f"accuracy (%), {measured}")
    ax.set(xscale="log", ylim=(max(0, 10 * math.floor(lowest / 10 - 0.2)), 100))
    ax.set_xticks(SIZES, [f"{n:,}" for n in SIZES])
    ax.xaxis.set_minor_locator(NullLocator())
    add_legend(figure, entries, columns=2)
    figure.alt = f"Accuracy by the number of training digits, {measured}. {' '.join(words)}"
    return figure


def accuracy_by_upbringing() -> Picture:
    """Accuracy by the angle of a test digit, of networks that learnt from upright digits and from turned ones.

    As it was measured before, in groups of 30 degrees.
    """
    before = measurements()["by_angle"]
    looks, entries, words = looks_of(before), {}, []
    centres = (np.arange(GROUPS) + 0.5) * 360 / GROUPS
    figure = Picture(9.5, 4.6)
    ax = figure.subplots()
    for name, by_standing in before.items():
        for standing, shares in by_standing.items():
            style = {"linewidth": 2, "linestyle": "--" if standing == "upright" else "-"}
            ax.plot(centres, shares, **looks[name], **style)
            entries[f"{name}, from {standing} digits"] = {**looks[name], **style}
            groups = f"{min(shares):.1f} to {max(shares):.1f} % in the groups of 30 degrees"
            words.append(f"{name} from {standing} digits: {groups}; {shares[0]:.1f} % from 0 to 30 degrees.")
    dress(ax, "angle at which the test digit stands", "accuracy (%)")
    mark_circle(ax)
    ax.set_ylim(0, 101)
    add_legend(figure, entries, columns=2)
    figure.alt = f"Accuracy by the angle at which a test digit stands. {' '.join(words)}"
    return figure


def _checked_runs(own: object) -> Mapping[str, Mapping[int, float]]:
    wanted = 'your own runs must look like {"C4CNN": {500: 83.1}}, percent by number of digits'
    if not isinstance(own, Mapping) or not all(isinstance(runs, Mapping) and runs for runs in own.values()):
        raise ValueError(f"{wanted}; got {own!r}")
    for runs in own.values():
        for digits, accuracy in runs.items():
            if not isinstance(digits, int) or digits < 1 or not 0 <= accuracy <= 100:
                raise ValueError(f"{wanted}; got {own!r}")
    return own
