"""What a wrong answer gives beside what is expected, for the checks' hints."""

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from gcnn.diagnosis.compared import Maps, Table
from gcnn.plots.picture import VERMILION, Picture, draw

_WIDTH = 6.4  # inches: all of it can be read where a notebook is narrow
_ROWS = ("yours", "expected", "difference")
_GAP = 0.14  # inches between maps
_LEAST = 0.24  # inches: a pixel that holds a number


def drawn(shown: Maps | Table) -> Picture:
    """The figure of a difference."""
    return _table(shown) if isinstance(shown, Table) else _maps(shown)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _numbers(ax: Axes, picture: torch.Tensor, high: float, bold: torch.Tensor, size: float) -> None:
    """Write whole numbers into the pixels."""
    for row, column in picture.isfinite().nonzero().tolist():
        value = float(picture[row, column])
        weight = "bold" if bold[row, column] else "normal"
        color = "white" if abs(value) > 0.6 * high else "black"
        text = f"{value:.0f}".replace("-", "−")
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize=size, fontweight=weight)


def _maps(shown: Maps) -> Picture:
    """Three rows, yours, expected and their difference, of maps side by side; one row if there is a single map.

    Yours and the expected ones share a scale, red above zero and blue below; the difference has its own, orange and
    purple. A frame of vermilion surrounds a map that differs. Pixels that are large enough hold their values.
    """
    n, height, width = shown.got.shape
    difference = torch.where(shown.differs, shown.got - shown.expected, 0)
    rows = dict(zip(_ROWS, (shown.got, shown.expected, difference), strict=True))
    high = max(_largest(shown.got), _largest(shown.expected))
    scales = dict(zip(_ROWS, (high, high, _largest(difference)), strict=True))
    wide = (_WIDTH - 0.45) / (n if n > 1 else len(_ROWS)) - _GAP
    whole = all(bool((x == x.round()).all()) and _largest(x) < 1000 for x in rows.values())
    written = whole and wide / width >= _LEAST
    if not written:  # room for scales
        wide = (_WIDTH - 1.25) / (n if n > 1 else len(_ROWS)) - _GAP
    tall = wide * height / width
    figure = Picture(_WIDTH, 1.1 + (tall + _GAP) * (len(_ROWS) if n > 1 else 1))
    figure.set_layout_engine("none")  # all places are known, which is faster
    for i, (name, maps) in enumerate(rows.items()):
        cmap = "PuOr_r" if name == "difference" else "RdBu_r"
        for t, tile in enumerate(shown.tiles):
            row, column = (i, t) if n > 1 else (0, i)
            left, top = 0.35 + column * (wide + _GAP), 0.8 + row * (tall + _GAP)
            ax = figure.add_axes(_place(figure, left, top, wide, tall))
            ax.set_facecolor("0.75")  # shows through where a value is not finite
            count = int(shown.differs[t].sum())
            frame = VERMILION if count and name == "yours" else None
            finite = maps[t].where(maps[t].isfinite(), torch.nan)
            image = draw(ax, finite, cmap, -scales[name], scales[name], frame)
            if written:
                _numbers(ax, maps[t], scales[name], shown.differs[t], 10 if wide / width > 0.4 else 7.5)
            ax.set_title((tile if row == 0 else "") if n > 1 else name, fontsize=11 if n <= 4 else 9.5, pad=5)
            ax.set_ylabel(name if n > 1 and column == 0 else "", fontsize=11 if tall > 0.85 else 8)
            if name == "difference":
                said = "all" if count == height * width else f"{count}"
                ax.set_xlabel(f"{said} differ" if count else "equal", fontsize=10 if n <= 4 else 8)
        if not written and n > 1 and i:
            rows_beside = 1 if name == "difference" else 2
            bar_height = rows_beside * (tall + _GAP) - _GAP
            bar = figure.add_axes(_place(figure, _WIDTH - 0.85, top + tall - bar_height, 0.12, bar_height))
            figure.colorbar(image, cax=bar)
            bar.tick_params(labelsize=8)
    gray = "" if bool(shown.got.isfinite().all()) else "gray: not a finite number; "
    words = f"{shown.what}\n{shown.where}; {gray}the difference is yours − expected"
    figure.suptitle(words, fontsize=10, parse_math=False, y=1 - 0.1 / figure.get_figheight())
    figure.alt = f"{_what_differs(shown)} Red is above zero, blue below; a frame marks what differs."
    return figure


def _largest(values: torch.Tensor) -> float:
    """The largest absolute value of those that are finite."""
    finite = values[values.isfinite()].abs().tolist()
    return max(finite, default=0.0) or 1.0


def _place(figure: Picture, left: float, top: float, width: float, height: float) -> tuple[float, ...]:
    """A place in inches, from the top left corner, as parts of the figure."""
    across, down = figure.get_size_inches()
    return left / across, 1 - (top + height) / down, width / across, height / down


def _what_differs(shown: Maps) -> str:
    """The difference in words, with its first place."""
    t, row, column = shown.differs.nonzero()[0].tolist()
    wrong = [tile for tile, some in zip(shown.tiles, shown.differs, strict=True) if bool(some.any())]
    side_by_side = f" {len(shown.tiles)} maps side by side, {shown.tiles[0]} to {shown.tiles[-1]}." if wrong[0] else ""
    at = f"at {_listed(wrong)}, " if wrong[0] else ""
    first = f"{shown.tiles[t]}, row {row}, column {column}" if wrong[0] else f"row {row}, column {column}"
    got, expected = (f"{float(maps[t, row, column]):.6g}" for maps in (shown.got, shown.expected))
    return (
        f"Yours, what is expected, and the difference, for {shown.what}: {shown.where}.{side_by_side} They differ {at}"
        f"in {int(shown.differs.sum())} of {shown.differs.numel()} values. The first is at {first}: yours is {got}, "
        f"{expected} is expected."
    )


def _table(shown: Table) -> Picture:
    """The answer's own products, or inverses; frames on gray mark those that are not right."""
    n, several = len(shown.columns), len(shown.rows) > 1
    high = 0.42 * len(shown.rows)
    figure = Picture(_WIDTH if n > 4 else 4.2, high + 1.25)
    ax = figure.subplots()
    places = [[float((i, j) in shown.wrong) for j in range(n)] for i in range(len(shown.rows))]
    draw(ax, torch.tensor(places), "binary", 0, 8)
    ax.set_aspect("auto")
    for i, row in enumerate(shown.cells):
        for j, text in enumerate(row):
            wrong = (i, j) in shown.wrong
            style = {"fontsize": 10, "fontweight": "bold" if wrong else "normal", "parse_math": False}
            ax.text(j, i, text, ha="center", va="center", **style)
            if wrong:
                ax.add_patch(Rectangle((j - 0.45, i - 0.42), 0.9, 0.84, fill=False, edgecolor=VERMILION, linewidth=2))
    ax.set(xticks=range(n), xticklabels=shown.columns, xlabel="b" if several else "a")
    ax.set(yticks=range(len(shown.rows)), yticklabels=shown.rows, ylabel="a" if several else "")
    ax.tick_params(length=0, labelsize=9.5, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.xaxis.set_label_position("top")
    figure.suptitle(f"your {shown.what}; framed: not right", fontsize=10, parse_math=False)
    named = [
        f"a = {shown.rows[i]}, b = {shown.columns[j]}" if several else f"a = {shown.columns[j]}"
        for i, j in sorted(shown.wrong)
    ]
    i, j = min(shown.wrong)
    cells = len(shown.rows) * n
    figure.alt = (
        f"A table of your {shown.what}. {len(shown.wrong)} of its {cells} values are not right. The first is at "
        f"{named[0]}, where yours is {shown.cells[i][j]}."
    )
    if 1 < len(named) <= 8:
        figure.alt += f" The others are at {'; '.join(named[1:])}."
    return figure
