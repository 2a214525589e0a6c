"""Pictures side by side: digits, filters and feature maps."""

import math
from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch

from gcnn.equivariance import TOLERANCES, relative_error, rotate
from gcnn.plots.picture import BLUE, TILES, Picture, checked_tensor, describe, draw, one_digit, turned_copies


def _rows_of_eight(n: int, side: float, height: float) -> tuple[Picture, list[Axes]]:
    """A figure for n pictures, and its axes, which are hidden until something is drawn in them."""
    columns = min(n, 8)
    rows = math.ceil(n / columns)
    figure = Picture(side * columns + 0.1, height * rows + 0.1)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_visible(False)
    return figure, axes[:n]


def images(images: torch.Tensor, titles: Sequence[object] | None = None) -> Picture:
    """Pictures in rows of eight, in gray.

    A picture with values in [0, 1] is black at 0 and white at 1. All others share one scale, from their smallest to
    their largest value, so that they can be compared.

    Args:
        images: ``(N, 1, H, W)`` or ``(N, H, W)``, N up to 64.
        titles: what to write above each picture.

    Raises:
        ValueError: another shape, values that are not finite, or another number of titles.
    """
    shapes = "(N, 1, H, W) or (N, H, W), N up to 64"
    x = checked_tensor(
        images, "images", shapes, lambda x: x.dim() in (3, 4) and len(x) <= 64 and x.shape[1:-2] in ((), (1,))
    )
    titles = [""] * len(x) if titles is None else [str(title) for title in titles]
    if len(titles) != len(x):
        raise ValueError(f"there must be one title for each of the {len(x)} pictures; got {len(titles)}")
    x = x.flatten(0, -3)
    usual = (x.amin((-2, -1)) >= 0) & (x.amax((-2, -1)) <= 1)
    scale = (0, 1) if usual.all() else (float(x[~usual].min()), float(x[~usual].max()))
    side = 1.1 if len(x) > 4 else 2.0
    figure, axes = _rows_of_eight(len(x), side, side * x.shape[-2] / x.shape[-1] + 0.2 * any(titles))
    for ax, picture, title, ordinary in zip(axes, x, titles, usual, strict=True):
        draw(ax, picture, "gray", *((0, 1) if ordinary else scale))
        ax.set_title(title, fontsize=11, pad=4, parse_math=False)
    named = f": {', '.join(titles)}" if any(titles) else ""
    figure.alt = f"{len(x)} pictures of {x.shape[-2]} by {x.shape[-1]} pixels{named}."
    return figure


def digits_turned(image: torch.Tensor, step: float = 45) -> Picture:
    """One digit turned counter-clockwise by 0, ``step``, 2 ``step``, … degrees, once around.

    Quarter turns, which only move pixels, are marked as exact; at all other angles, values are interpolated.

    Args:
        image: ``(1, H, H)`` or ``(H, H)``.
        step: degrees from one picture to the next, 10 to 360.

    Raises:
        ValueError: an image of another shape, or another step.
    """
    x = one_digit(image)
    if not isinstance(step, (int, float)) or not 10 <= step <= 360:
        raise ValueError(f"step must be a number of degrees from 10 to 360; got {describe(step)}")
    angles = [i * step for i in range(math.ceil(360 / step))]
    figure, axes = _rows_of_eight(len(angles), 1.2, 1.65)
    for ax, angle, picture in zip(axes, angles, turned_copies(x, angles)[:, 0], strict=True):
        exact = angle % 90 == 0
        draw(ax, picture, "gray", min(0, float(x.min())), max(1, float(x.max())), BLUE if exact else None)
        ax.set_title(f"{angle:g}°", fontsize=11, pad=5)
        ax.set_xlabel("exact" if exact else "interpolated", fontsize=9, color=BLUE if exact else "0.35")
    at = ", ".join(f"{angle:g}" for angle in angles)
    figure.alt = f"One digit turned counter-clockwise by {at} degrees; multiples of 90 are exact, others interpolated."
    return figure


def _move(before: torch.Tensor, after: torch.Tensor) -> tuple[int, int] | None:
    """Which ``(places, turns)`` make ``after`` of ``before``, ``(n, H, W)``: rolled along n, turned in the plane."""
    for turns in (1, 2, 3, 0):
        moved = rotate(before, turns)
        for places in (turns, *range(len(before))):
            error = relative_error(after, moved.roll(places, 0)) if moved.shape == after.shape else math.inf
            if error <= TOLERANCES.get(before.dtype, 0.0):
                return places % len(before), turns
    return None


def filters(bank: torch.Tensor) -> Picture:
    """The filters of one pair of channels: red above zero, blue below, white at zero.

    Args:
        bank: ``(S, k, k)`` of a lifting convolution: a tile for each orientation s. Or ``(S, T, k, k)`` of a group
            convolution: a row for each output orientation s, a column for each input orientation t. Where a row holds
            the tiles of the first, turned and moved along, a letter and a frame's colour follow each. That is measured.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    shapes = "(S, k, k) or (S, T, k, k), S and T up to 8"
    x = checked_tensor(
        bank, "bank", shapes, lambda x: x.dim() in (3, 4) and x.shape[-1] == x.shape[-2] and max(x.shape[:-2]) <= 8
    )
    lifting, x = x.dim() == 3, x[None] if x.dim() == 3 else x
    rows, columns = x.shape[:2]
    high = float(x.abs().max()) or 1.0
    figure = Picture(1.35 * columns + 1.1, 1.35 * rows + 0.4)
    axes, followed = figure.subplots(rows, columns, squeeze=False), []
    for s in range(rows):
        move = None if lifting or columns > len(TILES) else _move(x[0], x[s])
        if move is not None:
            followed.append(f"s = {s}, turned {move[1]} and moved {move[0]} times")
        for t in range(columns):
            tile = None if move is None else (t - move[0]) % columns
            shown = draw(axes[s, t], x[s, t], "RdBu_r", -high, high, None if tile is None else TILES[tile])
            if tile is not None:
                box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": TILES[tile]}
                axes[s, t].annotate("ABCD"[tile], (0.06, 0.81), xycoords="axes fraction", fontsize=9, bbox=box)
            if s == 0:
                axes[s, t].set_title(f"s = {t}" if lifting else f"input t = {t}", fontsize=11)
        axes[s, 0].set_ylabel("" if lifting else f"output s = {s}", fontsize=11)
    figure.colorbar(shown, ax=axes, label="weight", aspect=12 * rows)
    order = f"orientations s = 0 to {columns - 1}, side by side"
    if not lifting:
        order = f"{rows} output orientations s, a row each, and {columns} input orientations t, a column each"
    same = f" {len(followed)} of the {rows} rows hold the first row's tiles: {'; '.join(followed)}." if followed else ""
    figure.alt = (
        f"Filters of {x.shape[-1]} by {x.shape[-1]} weights from {x.min():.2f} to {x.max():.2f}: {order}.{same}"
    )
    return figure


def feature_maps(before: torch.Tensor, after: torch.Tensor) -> Picture:
    """Four orientation channels before (upper row) and after (lower row) the input is turned.

    Where the lower maps are the upper ones, turned in the plane and moved along the group axis, arrows and frames of
    one colour lead from one to the other. That is measured: without the law there are no arrows.

    Args:
        before: ``(4, H, W)``, the channels s = 0, 1, 2, 3 for an image.
        after: ``(4, H', W')``, the channels for the turned image.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    given = (before, "before"), (after, "after")
    y = [checked_tensor(maps, what, "(4, H, W)", lambda x: x.dim() == 3 and len(x) == 4) for maps, what in given]
    high = max(float(maps.abs().max()) for maps in y) or 1.0
    move = _move(*y)
    places, turns = move or (0, 0)
    figure = Picture(9.0, 5.2)
    axes = figure.subplots(2, 4, gridspec_kw={"hspace": 0.22})
    for s in range(4):
        t, frame = (s + places) % 4, TILES[s] if move else None
        upper, lower = axes[0, s], axes[1, t]
        draw(upper, y[0][s], "RdBu_r", -high, high, frame)
        shown = draw(lower, y[1][t], "RdBu_r", -high, high, frame)
        upper.set_title(f"s = {s}", fontsize=11)
        lower.set_xlabel(f"s = {t}" + f"\n(s = {s} turned by {90 * turns}°)" * bool(move), fontsize=11)
        if move:
            ends = ((0.5, -0.04), (0.5, 1.04), upper.transAxes, lower.transAxes)
            arrow = ConnectionPatch(*ends, arrowstyle="-|>", mutation_scale=14, color=frame, linewidth=1.8)
            arrow.set_in_layout(False)
            figure.add_artist(arrow)
    axes[0, 0].set_ylabel("before", fontsize=12)
    axes[1, 0].set_ylabel("after", fontsize=12)
    figure.colorbar(shown, ax=axes, label="value of the feature map", aspect=30)
    law = f"The lower map s + {places} (modulo 4) is the upper map s, turned by {90 * turns} degrees."
    law = law if move else "The lower maps are not the upper ones, turned and moved along."
    figure.alt = f"Four channels, s = 0 to 3, before (above) and after (below) the input is turned. {law}"
    return figure
