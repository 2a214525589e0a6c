"""Figures for two questions: how symmetric is a network between the quarter turns, and is it a six or a nine?"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from gcnn.equivariance import TOLERANCES, relative_error, rotate
from gcnn.plots.networks import answers, by_name, in_own_dtype
from gcnn.plots.picture import (
    BLUE,
    ORANGE,
    Picture,
    add_legend,
    checked_tensor,
    describe,
    draw,
    dress,
    looks_of,
    mark_circle,
    turned_copies,
)
from gcnn.probes import predict

_STEP, _EXAMPLES = 5, 4  # degrees from point to point; sixes, and nines, shown one by one
_AT_ONCE = 16  # angles in one batch
_SIX, _NINE = 6, 9


def _comparison(
    name: str, x: torch.Tensor, y: torch.Tensor
) -> tuple[str, Callable[[torch.Tensor, float], torch.Tensor]]:
    """What a map's outputs for ``x`` say of its symmetry, and what they should be for ``x`` turned by an angle."""
    if len(y) != len(x) or y.dim() not in (2, 4, 5) or (y.dim() > 2 and y.shape[-1] != y.shape[-2]):
        shapes = f"({len(x)}, classes) or feature maps ({len(x)}, C, H, H) or ({len(x)}, C, S, H, H)"
        raise ValueError(f"{name} must return {shapes} for these images; got {describe(y)}")
    if y.dim() == 2:
        return "invariance", lambda y, angle: y
    return "equivariance", lambda y, angle: turned_copies(y, [angle])


def _plain(y: torch.Tensor) -> torch.Tensor:
    """Answers as they are, and feature maps ``(N, C, H, H)`` in a disc, which a turn keeps in the picture.

    Of orientations, ``(N, C, S, H, H)``, the largest value stays: what moves along their axis does not change it.
    """
    if y.dim() == 2:
        return y
    y = y.amax(2) if y.dim() == 5 else y
    at = torch.linspace(-1, 1, y.shape[-1], dtype=y.dtype)
    return y * (at**2 + at[:, None] ** 2 < 0.9)


def equivariance_against_angle(layers: Mapping[str, nn.Module], images: torch.Tensor) -> Picture:
    """How far networks and layers are from commuting with a turn of their input, at every fifth degree of a circle.

    Of a network's answers ``(N, classes)``, the error of *invariance* is shown: the largest difference from the answer
    at 0 degrees, divided by the largest value. Of a layer's feature maps, that of *equivariance*: the largest
    difference between the maps of the turned image and the turned maps, in the disc that no turn takes out of the
    picture. Of orientations ``(N, C, S, H, W)``, the largest value counts. An error of 0 stands at the bottom.

    Args:
        layers: networks or layers by name, from ``(N, C, H, H)``; each computes in its own dtype.
        images: ``(N, C, H, H)``, N up to 64; differences and values are the largest among all of them.

    Raises:
        ValueError: images of another shape, or outputs of another one.
    """
    layers = by_name(layers)
    x = checked_tensor(
        images,
        "images",
        "(N, C, H, H), N up to 64",
        lambda x: x.dim() == 4 and x.shape[2] == x.shape[3] and len(x) <= 64,
    )
    angles, looks, curves, kinds, dtypes = np.arange(0, 361, _STEP), looks_of(layers), {}, {}, set()
    for name, layer in layers.items():
        own = in_own_dtype(layer, x)
        y = predict(layer, own)
        kinds[name], should = _comparison(name, own, y)
        y = y.amax(2) if y.dim() == 5 else y
        dtypes.add(y.dtype)
        batches = [angles[i : i + _AT_ONCE].tolist() for i in range(0, len(angles), _AT_ONCE)]
        got = [predict(layer, turned_copies(own, batch)).split(len(own)) for batch in batches]
        got = [_plain(one) for batch in got for one in batch]
        errors = [relative_error(one, _plain(should(y, a))) for one, a in zip(got, angles.tolist(), strict=True)]
        curves[name] = np.array(errors)
    lowest = min(torch.finfo(dtype).eps for dtype in dtypes) / 30
    rounding = max(TOLERANCES.get(dtype, 0.0) for dtype in dtypes)
    figure = Picture(9.5, 4.4 + 0.25 * math.ceil(len(layers) / 3))
    ax = figure.subplots()
    dress(ax, "angle by which the input is turned", f"relative error of {' or '.join(sorted(set(kinds.values())))}")
    mark_circle(ax)
    top = max(2.0, *(2 * np.nanmax(curve, initial=0.0) for curve in curves.values()))
    ax.set(yscale="log", ylim=(lowest / 2, top))
    ax.axhspan(lowest / 2, rounding, color="0.93", zorder=0)
    ax.text(135, rounding / 2, "rounding", ha="center", va="top", color="0.35")
    entries, words = {}, []
    for name, curve in curves.items():
        look, quarter = looks[name], angles % 90 == 0
        shown = np.maximum(curve, lowest)
        ax.plot(angles, shown, color=look["color"], linewidth=1.8)
        ax.plot(angles[quarter], shown[quarter], **look, linestyle="none", markersize=8, mec="white")
        entries[name if len(set(kinds.values())) == 1 else f"{name} ({kinds[name]})"] = {**look, "linewidth": 2}
        at = f"{curve[angles % 360 == 90][0]:.1e} at 90, {curve[angles == 180][0]:.1e} at 180 degrees"
        between = curve[~quarter]
        words.append(f"{name}, {kinds[name]}: {at}, {between.min():.1e} to {between.max():.1e} between quarter turns.")
    add_legend(figure, entries, columns=3)
    figure.alt = f"Relative error against the angle by which the input is turned. {' '.join(words)}"
    return figure


def six_or_nine(model: nn.Module, dataset: Dataset) -> Picture:
    """What a network makes of sixes and nines, as they stand and turned by 180 degrees.

    Above, for some of each: the probabilities of the classes 6 and 9. The last two of each are those that the network
    finds most like the other. Below: how often all of them are taken for a 6, a 9 or something else.

    Args:
        model: the network, from ``(N, 1, H, H)`` to one number per class, ``(N, 10 or more)``.
        dataset: with tensors ``images`` ``(N, 1, H, H)`` and ``labels`` ``(N,)``, as `gcnn.data.MnistRotDataset` has.

    Raises:
        ValueError: a data set of another kind or without sixes or nines, or a network of another kind.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a network, an instance of torch.nn.Module; got {describe(model)}")
    x, labels = getattr(dataset, "images", None), getattr(dataset, "labels", None)
    if not isinstance(x, torch.Tensor) or not isinstance(labels, torch.Tensor) or not 0 < len(x) == len(labels):
        raise ValueError(f"dataset must have the tensors images and labels, of one length; got {describe(dataset)}")
    labels = labels.cpu()
    chosen = (labels == _SIX) | (labels == _NINE)
    if not all((labels == digit).any() for digit in (_SIX, _NINE)):
        raise ValueError("dataset must hold sixes and nines; one of them is missing")
    x, labels = x.cpu()[chosen], labels[chosen]
    stood = [x, rotate(x, 2)]
    p = [answers("model", model, images, _NINE + 1).softmax(1) for images in stood]
    examples = [i for digit in (_SIX, _NINE) for i in _examples(p[0], labels, digit)]

    figure = Picture(9.8, 6.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.6, 1))
    axes = upper.subplots(3, len(examples), squeeze=False, height_ratios=(1, 1, 1.3))
    for column, i in enumerate(examples):
        for row in range(2):
            draw(axes[row, column], stood[row][i, 0], "gray", min(0, float(x.min())), max(1, float(x.max())))
        axes[0, column].set_title(f"a {int(labels[i])}", fontsize=11)
        ax = axes[2, column]
        for row, hatch in enumerate(("", "////")):
            for place, (digit, color) in enumerate(((_SIX, BLUE), (_NINE, ORANGE))):
                style = {"color": color} if not hatch else {"facecolor": "white", "edgecolor": color, "hatch": hatch}
                ax.bar(place + 0.4 * row - 0.2, float(p[row][i, digit]), width=0.36, **style)
        dress(ax, "class", "probability" if column == 0 else "", grid="y")
        ax.set(ylim=(0, 1.05), xlim=(-0.5, 1.5), xticks=(0, 1), xticklabels=("6", "9"), yticks=(0, 0.5, 1))
        if column:
            ax.set_yticklabels([])
    axes[0, 0].set_ylabel("as it\nstands")
    axes[1, 0].set_ylabel("turned\nby 180°")
    plain, hatched = {"color": "0.4", "linewidth": 8}, {"color": "0.4", "linewidth": 8, "linestyle": (0, (0.25, 0.2))}
    add_legend(figure, {"as it stands": plain, "turned by 180°": hatched}, columns=2)

    words = []
    for ax, said, how in zip(lower.subplots(1, 2), p, ("as they stand", "turned by 180°"), strict=True):
        shares = _confusion(said, labels)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 50 else "black"
            ax.text(column, row, f"{share:.1f} %", ha="center", va="center", color=color, fontsize=12)
        ax.set_title(f"all of them, {how}", fontsize=11)
        ax.set(xticks=range(3), xticklabels=("6", "9", "another"), xlabel="class that the network answers")
        counts = [int((labels == digit).sum()) for digit in (_SIX, _NINE)]
        ax.set(yticks=range(2), yticklabels=[f"{n} {word}" for n, word in zip(counts, ("sixes", "nines"), strict=True)])
        ax.tick_params(length=0)
        six, nine = shares
        words.append(
            f"{how.capitalize().replace('°', ' degrees')}: of the sixes, {six[0]:.1f} % are taken for a 6 and "
            f"{six[1]:.1f} % for a 9; of the nines, {nine[1]:.1f} % for a 9 and {nine[0]:.1f} % for a 6."
        )
    figure.alt = f"Sixes and nines, as they stand and turned by 180 degrees. {' '.join(words)}"
    return figure


def _examples(p: torch.Tensor, labels: torch.Tensor, digit: int) -> list[int]:
    """The first of one digit, and those that the network finds most like the other, in this order."""
    other = _SIX + _NINE - digit
    those = (labels == digit).nonzero()[:, 0]
    doubtful = those[p[those, other].argsort(descending=True, stable=True)[: _EXAMPLES // 2]].tolist()
    return [i for i in those.tolist() if i not in doubtful][: _EXAMPLES - len(doubtful)] + doubtful


def _confusion(p: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """Per cent of the sixes (first row) and nines that are taken for a 6, a 9 or another digit: ``(2, 3)``."""
    said = p.argmax(1)
    of = [said[labels == digit] for digit in (_SIX, _NINE)]
    shares = [[float((s == digit).double().mean()) for digit in (_SIX, _NINE)] for s in of]
    return 100 * np.array([[six, nine, 1 - six - nine] for six, nine in shares]).clip(0)
