"""Curves and bars: training, accuracy and invariance of networks."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter
from torch import nn
from torch.utils.data import Dataset

from gcnn.equivariance import TOLERANCES
from gcnn.history import History
from gcnn.plots.networks import answers, by_name
from gcnn.plots.picture import (
    BLUE,
    SMALLEST_ERROR,
    VERMILION,
    Picture,
    add_legend,
    describe,
    draw,
    dress,
    looks_of,
    mark_circle,
    one_digit,
    turned_copies,
)


def history(models: Mapping[str, nn.Module]) -> Picture:
    """How training went: the loss, and the accuracy on training and validation digits, against epochs.

    The loss is a mean over up to 25 steps. Training accuracy is counted while an epoch runs, so it stands at the
    epoch's middle; validation accuracy stands at its end.

    Args:
        models: networks by name, trained by `gcnn.training.train_model`, which leaves the curves in ``model.history``.

    Raises:
        ValueError: a network that has not been trained, or no networks by name.
    """
    models = by_name(models)
    for name, model in models.items():
        curves = getattr(model, "history", None)
        if not isinstance(curves, History) or not curves.epochs or not curves.step_loss:
            raise ValueError(f"{name} has no history of a training to show: train it with train_model first")
    looks, entries, words = looks_of(models), {}, []
    figure = Picture(9.5, 4.0 + 0.25 * math.ceil(len(models) / 3))
    left, right = figure.subplots(1, 2)
    for name, model in models.items():
        curves, look = model.history, looks[name]
        window = min(25, len(curves.step_loss))
        loss = np.convolve(curves.step_loss, np.full(window, 1 / window), mode="valid")
        at = (np.arange(len(loss)) + (window + 1) / 2) * curves.epochs[-1] / len(curves.step_loss)
        left.plot(at, np.maximum(loss, 1e-6), color=look["color"], linewidth=1.6, marker="" if len(at) > 1 else ".")
        ends = np.array(curves.epochs)
        middles = (ends + np.append(0.0, ends[:-1])) / 2
        right.plot(middles, curves.train_accuracy, **look, linestyle="--", linewidth=1.4, markersize=5, mfc="white")
        right.plot(ends, curves.valid_accuracy, **look, linewidth=2)
        last = f"{curves.valid_accuracy[-1]:.1f} %"
        entries[f"{name}, {last} in the end"] = {**look, "linewidth": 2}
        words.append(f"{name}: after {ends[-1]:g} epochs loss {curves.loss[-1]:.3f}, validation accuracy {last}.")
    dress(left, "epochs", "loss (cross-entropy)")
    dress(right, "epochs", "accuracy (%)")
    end = 1.04 * max(model.history.epochs[-1] for model in models.values())
    left.set(xlim=(0, end), yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    right.set(xlim=(0, end), ylim=(0, 102))
    styles = Line2D([], [], color="0.3", linewidth=2), Line2D([], [], color="0.3", linewidth=1.4, linestyle="--")
    right.legend(styles, ("validation digits", "training digits"), loc="lower right", frameon=False)
    add_legend(figure, entries, columns=3)
    figure.alt = f"Loss and accuracy against epochs while training. {' '.join(words)}"
    return figure


def prediction_under_rotation(models: Mapping[str, nn.Module], image: torch.Tensor, label: int) -> Picture:
    """How probable the networks find the right class while one digit goes round, in steps of 3 degrees.

    Quarter turns carry a marker. Between them, crosses every 9 degrees say that another class is more probable there.

    Args:
        models: networks by name, from ``(N, 1, H, H)`` to one number per class, ``(N, classes)``.
        image: the digit, ``(1, H, H)`` or ``(H, H)``.
        label: the right class.

    Raises:
        ValueError: an argument of another shape or kind, or a network that does not return one number per class.
    """
    models, x = by_name(models), one_digit(image)
    if not isinstance(label, int) or isinstance(label, bool) or label < 0:
        raise ValueError(f"label must be a whole number from 0, such as int(labels[7]); got {describe(label)}")
    angles = np.arange(0, 361, 3)
    turned, quarter = turned_copies(x, angles.tolist()), angles % 90 == 0
    looks, entries, words = looks_of(models), {}, []
    figure = Picture(9.5, 4.8 + 0.25 * math.ceil(len(models) / 4))
    ax = figure.subplots()
    dress(ax, "angle by which the digit is turned", f"probability of the class {label}")
    mark_circle(ax)
    ax.set_ylim(-0.03, 1.05)
    for name, model in models.items():
        y = answers(name, model, turned, label + 1)
        p, wrong = y.softmax(1)[:, label].numpy(), (y.argmax(1) != label).numpy()
        crosses = wrong & (angles % 9 == 0) & ~quarter
        look = {**looks[name], "markersize": 9, "mec": "white"}
        ax.plot(angles, p, color=look["color"], linewidth=2)
        ax.plot(angles[crosses], p[crosses], color=look["color"], marker="x", linestyle="none")
        ax.plot(angles[quarter], p[quarter], **look, linestyle="none")
        entries[name] = {**look, "linewidth": 2}
        at = ", ".join(f"{value:.3f}" for value in p[quarter][:4])
        often = f"another class is more probable at {wrong[:-1].sum()} of 120 angles"
        words.append(f"{name}: {p.min():.3f} to {p.max():.3f}; at 0, 90, 180, 270 degrees {at}; {often}.")
    for a in range(0, 361, 45):
        small = ax.inset_axes((a - 17, 1.08, 34, 0.2), transform=ax.transData)
        draw(small, turned[a // 3, 0], "gray", min(0, float(x.min())), max(1, float(x.max())))
    entries["quarter turn"] = {"color": "0.4", "marker": "o", "markersize": 8, "linestyle": "none"}
    entries["another class is more probable"] = {"color": "0.4", "marker": "x", "linestyle": "none"}
    add_legend(figure, entries, columns=4)
    figure.alt = f"The probability of the class {label} while a digit goes round once. {' '.join(words)}"
    return figure


def invariance_by_size(sizes: Sequence[int], errors: Sequence[float]) -> Picture:
    """How far a network is from invariant under a quarter turn, by the size of its pictures, on a logarithmic axis.

    Args:
        sizes: the pictures' sides in pixels; 33 is highlighted.
        errors: for each the `gcnn.equivariance.equivariance_error`, measured in double precision; 0 stands at 1e-17.

    Raises:
        ValueError: not one error for each size, or an error that is not finite or below 0.
    """
    sizes, errors = [int(n) for n in sizes], [float(e) for e in errors]
    if not sizes or len(sizes) != len(errors):
        raise ValueError(f"there must be one error for each size, at least one; got {len(errors)} for {len(sizes)}")
    if not all(math.isfinite(e) and e >= 0 for e in errors):
        raise ValueError(f"errors must be finite and at least 0; got {errors}")
    figure = Picture(8.5, 4.0)
    ax = figure.subplots()
    dress(ax, "side of the picture (pixels)", "relative error of invariance\nunder a quarter turn")
    ax.set(yscale="log", ylim=(SMALLEST_ERROR / 3, max(10.0, 3 * max(errors))), xticks=sizes)
    ax.axhspan(SMALLEST_ERROR / 3, TOLERANCES[torch.float64], color="0.93", zorder=0)
    place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "top", "color": "0.35"}
    ax.text(0.985, TOLERANCES[torch.float64] / 3, "rounding, in double precision", **place)
    for tick, n, error in zip(ax.get_xticklabels(), sizes, errors, strict=True):
        color = VERMILION if n == 33 else BLUE
        ax.plot(n, max(error, SMALLEST_ERROR), marker="D" if n == 33 else "o", color=color, markersize=9)
        tick.set(color=color if n == 33 else "black", fontweight="bold" if n == 33 else "normal")
    values = ", ".join(f"{n}: {e:.1e}" for n, e in zip(sizes, errors, strict=True))
    figure.alt = f"Relative error of invariance under a quarter turn, by the picture's side in pixels. {values}."
    return figure


def accuracies(results: Mapping[str, float], parameter_counts: Mapping[str, int]) -> Picture:
    """Accuracy and number of parameters of each network, as bars side by side with their figures.

    Args:
        results: accuracy in percent by the network's name: a row for each.
        parameter_counts: numbers of parameters by name; where a name is missing, a question mark stands.

    Raises:
        ValueError: no results by name, or an accuracy outside 0 … 100.
    """
    if not isinstance(results, Mapping) or not results or not isinstance(parameter_counts, Mapping):
        got = f"{results!r} and {describe(parameter_counts)}"
        raise ValueError(f"accuracies takes two dictionaries by the network's name, accuracy and parameters; got {got}")
    for name, value in results.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 100:
            raise ValueError(
                f"the accuracy of {name} must be a number from 0 to 100, in percent; got {describe(value)}"
            )
    names, counts = [str(name) for name in results], [parameter_counts.get(name) for name in results]
    texts = [f"{a:.1f} %" for a in results.values()], ["?" if c is None else f"{c:,}" for c in counts]
    looks = looks_of(names)
    figure = Picture(9.5, 0.9 + 0.5 * len(names))
    left, right = axes = figure.subplots(1, 2, sharey=True)
    for ax, values, labels in zip(axes, (results.values(), [(c or 0) / 1000 for c in counts]), texts, strict=True):
        bars = ax.barh(range(len(names)), list(values), height=0.62, color=[looks[name]["color"] for name in names])
        ax.bar_label(bars, labels, padding=4, fontsize=11)
        ax.tick_params(axis="y", length=0)
    dress(left, "accuracy (%)", "", grid="x")
    dress(right, "parameters (thousands)", "", grid="x")
    left.set(xlim=(0, 122), xticks=range(0, 101, 20), ylim=(len(names) - 0.5, -0.5))
    left.set_yticks(range(len(names)), names, fontsize=11, parse_math=False)
    right.set_xlim(0, 1.3 * max(c or 1000 for c in counts) / 1000)
    rows = (f"{name}: {a}, {c} parameters." for name, a, c in zip(names, *texts, strict=True))
    figure.alt = f"Accuracy and number of parameters. {' '.join(rows)}"
    return figure


def accuracy_against_angle(models: Mapping[str, nn.Module], dataset: Dataset) -> Picture:
    """Accuracy on a data set's digits by the angle at which they stand, in groups of 30 degrees.

    Bands show one standard error of a group's accuracy: differences within them may be chance.

    Args:
        models: networks by name, from ``(N, 1, H, W)`` to one number per class, ``(N, classes)``.
        dataset: with tensors ``images`` ``(N, 1, H, W)``, ``labels`` ``(N,)`` and ``angles`` ``(N,)`` in degrees, as
            `gcnn.data.MnistRotDataset` has.

    Raises:
        ValueError: a data set without angles or of another kind, or no networks by name.
    """
    models = by_name(models)
    x, labels, angles = (getattr(dataset, name, None) for name in ("images", "labels", "angles"))
    if not isinstance(x, torch.Tensor) or not isinstance(labels, torch.Tensor) or not 0 < len(x) == len(labels):
        raise ValueError(
            f"dataset must have the tensors images, labels and angles, of one length; got {describe(dataset)}"
        )
    if angles is None:
        raise ValueError('dataset does not know the angles of its digits (None); MnistRotDataset("test") does')
    group = (torch.as_tensor(angles).cpu().double() % 360 // 30).long().numpy() % 12
    count = np.bincount(group, minlength=12)
    there = count > 0
    centres, looks, entries, words, lowest = np.arange(15, 360, 30)[there], looks_of(models), {}, [], 100.0
    figure = Picture(9.5, 4.2 + 0.25 * math.ceil(len(models) / 3))
    ax = figure.subplots()
    for name, model in models.items():
        right = (answers(name, model, x, int(labels.max()) + 1).argmax(1) == labels.cpu()).double().numpy()
        share = np.bincount(group, right, minlength=12)[there] / count[there]
        error = np.sqrt(share * (1 - share) / count[there])
        band = 100 * (share - error), 100 * (share + error)
        ax.fill_between(centres, *band, color=looks[name]["color"], alpha=0.2, linewidth=0)
        ax.plot(centres, 100 * share, **looks[name], linewidth=2)
        everywhere = f"{100 * right.mean():.1f} %"
        entries[f"{name}, {everywhere} in all"] = {**looks[name], "linewidth": 2}
        words.append(
            f"{name}: {everywhere} in all, {100 * share.min():.1f} to {100 * share.max():.1f} % in the groups."
        )
        lowest = min(lowest, band[0].min())
    dress(ax, "angle at which the digit stands", "accuracy (%)")
    mark_circle(ax)
    ax.set_ylim(max(0, 10 * math.floor(lowest / 10 - 0.2)), 101)
    add_legend(figure, entries, columns=3)
    figure.alt = f"Accuracy in groups of 30 degrees by the angle at which a digit stands. {' '.join(words)}"
    return figure
