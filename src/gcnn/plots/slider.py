"""A digit that turns, and what networks make of it: feature maps and answer side by side, by a slider or as a strip.

ipywidgets is optional. Without it, without a notebook, and while grading, the strip with a few angles is shown; it is
also what a page shows that has no widgets, such as a preview of the saved notebook.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from torch import nn

from gcnn.environment import grading
from gcnn.plots.networks import Maps, answers_and_maps, by_name
from gcnn.plots.picture import Picture, add_legend, describe, draw, dress, img, looks_of, one_digit, turned_copies

STEP = 5  # degrees from one stop of the slider to the next
FEW = (0, 30, 45, 90, 180)  # the angles of the strip
_COLUMNS, _TILES, _SMALL = 4, 8, 7  # tiles in a row and in all; a side below which a map is too small to read
_NOTHING = "no layer with\nfeature maps"
_NO_MORE = "no further layer"
LATER = 0  # in place of a layer's number: each network's last one whose maps are large enough to read


@dataclass
class _Layer:
    """Tiles of one layer's feature maps at every angle, fixed in choice and scale."""

    name: str  # the layer's class
    title: str
    caption: str  # which maps are shown
    tiles: torch.Tensor  # (angles, H, W): all tiles in one picture, NaN between them
    high: float  # the largest absolute value at any angle


@dataclass
class _Network:
    """What one network computes at every angle."""

    name: str
    layers: list[_Layer]  # in the order in which they run
    later: int  # which one is shown beside the first until another is chosen
    probabilities: torch.Tensor  # (angles, classes)

    def shown(self, beside: int) -> list[_Layer]:
        """None, one, or two: the first layer, and layer number ``beside``, counted from 1, or `LATER`."""
        at = self.later if beside == LATER else beside - 1
        return self.layers[:1] + (self.layers[at : at + 1] if at > 0 else [])


def _layer(maps: Maps) -> _Layer:
    """Choose the channels that vary most at 0 degrees, and lay them out in rows of four."""
    x = maps.values if maps.values.dim() == 5 else maps.values[:, :, None]  # (angles, C, S, H, W)
    angles, channels, orientations, height, width = x.shape
    many = max(1, _TILES // orientations) if orientations <= _COLUMNS else 1
    chosen = x[0].flatten(1).double().std(1).argsort(descending=True, stable=True)[:many].sort().values
    x = x[:, chosen, :_TILES]
    columns = min(_COLUMNS, orientations if orientations > 1 else len(chosen))
    x = x.flatten(1, 2)[:, : _TILES // columns * columns]  # (angles, tiles, H, W)
    rows = -(-x.shape[1] // columns)
    tiles = torch.full((angles, rows * (height + 1) - 1, columns * (width + 1) - 1), float("nan"))
    for i in range(x.shape[1]):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        tiles[:, top : top + height, left : left + width] = x[:, i]
    caption = f"{len(chosen)} of {channels} channels"
    if 1 < orientations <= _COLUMNS:
        caption += f", a row each; s = 0 to {orientations - 1}"
    elif orientations > 1:
        caption += f"; s = 0 to {min(orientations, _TILES) - 1}, in rows of four"
    high = float(x.nan_to_num().abs().max()) or 1.0
    return _Layer(maps.layer, f"{maps.layer}, {height}×{width} pixels", caption, tiles, high)


def _network(name: str, model: nn.Module, images: torch.Tensor, label: int | None) -> _Network:
    y, maps = answers_and_maps(name, model, images)
    if label is not None and label >= y.shape[1]:
        raise ValueError(f"label must be one of {name}'s {y.shape[1]} classes, 0 to {y.shape[1] - 1}; got {label}")
    if not bool(y.isfinite().all()):
        raise ValueError(f"{name}'s answers for this digit are not finite: it holds NaN or infinite numbers")
    large = [at for at, m in enumerate(maps) if at and m.side >= _SMALL]
    return _Network(name, [_layer(m) for m in maps], (large or [len(maps) - 1])[-1], y.softmax(1))


class Turning:
    """One digit at some angles and what networks compute for it, computed once.

    Args:
        models: networks by name, from ``(N, 1, H, H)`` to ``(N, classes)``.
        image: the digit, ``(1, H, H)`` or ``(H, H)``.
        label: the right class, if it is to be marked.
        angles: in degrees, counter-clockwise; the first must be 0.

    Raises:
        ValueError: an argument of another shape or kind, or a network that does not return one number per class.
    """

    def __init__(
        self, models: Mapping[str, nn.Module], image: torch.Tensor, label: int | None, angles: Sequence[int]
    ) -> None:
        models, x = by_name(models), one_digit(image)
        if label is not None and (not isinstance(label, int) or isinstance(label, bool) or label < 0):
            got = describe(label)
            raise ValueError(f"label must be a whole number from 0, such as int(labels[7]), or None; got {got}")
        self.label, self.angles = label, list(angles)
        self.images = turned_copies(x, angles)  # (angles, 1, H, H)
        self.range = min(0.0, float(x.min())), max(1.0, float(x.max()))
        self.networks = [_network(name, model, self.images, label) for name, model in models.items()]
        # By the layer beside the first: a figure, and what changes it to another angle.
        self._figures: dict[int, tuple[Picture, list[Callable[[int], object]]]] = {}

    def answer(self, network: _Network, angle: int) -> str:
        """The predicted class with its probability, and whether it is right, if that is known."""
        p = network.probabilities[self.angles.index(angle)]
        said = int(p.argmax())
        right = "" if self.label is None else ", right" if said == self.label else ", wrong"
        return f"{said} with {100 * float(p[said]):.0f} %{right}"

    def choices(self) -> dict[str, int]:
        """Which layers may stand beside the first, by what a reader is told of them."""
        most = max(len(network.layers) for network in self.networks)
        found = {"the last one large enough to read": LATER}
        for number in range(2, most + 1):
            names = [n.layers[number - 1].name for n in self.networks if len(n.layers) >= number]
            found[f"{number}: {', '.join(dict.fromkeys(names))}"] = number
        return found

    def picture(self, angle: int, beside: int = LATER) -> Picture:
        """The digit at one angle, with feature maps and class probabilities of each network in a row.

        It is one figure, laid out once, that the next call changes: moving the slider must not take long.

        Args:
            angle: one of the angles, in degrees.
            beside: the layer that is shown beside the first one, of `choices`.
        """
        if beside not in self._figures:
            self._figures[beside] = self._laid_out(beside)
        (figure, updates), at = self._figures[beside], self.angles.index(angle)
        for update in updates:
            update(at)
        said = " ".join(f"{network.name} answers {self.answer(network, angle)}." for network in self.networks)
        figure.alt = f"A digit turned by {angle} degrees, with {self._layers_in_words(beside)}. {said}"
        return figure

    def _laid_out(self, beside: int) -> tuple[Picture, list[Callable[[int], object]]]:
        """The figure at the first angle, and what changes it to another one."""
        n, updates = len(self.networks), list[Callable[[int], object]]()
        figure = Picture(9.8, 0.6 + 1.75 * max(n, 1.4))
        grid = figure.add_gridspec(n, 4, width_ratios=(1.3, 2, 2, 1.8))
        ax = figure.add_subplot(grid[:, 0])
        digit, title = draw(ax, self.images[0, 0], "gray", *self.range), ax.set_title("turned by 0°", fontsize=11)
        updates.append(lambda at: digit.set_data(self.images[at, 0].numpy()))
        updates.append(lambda at: title.set_text(f"turned by {self.angles[at]}°"))
        for row, network in enumerate(self.networks):
            layers = network.shown(beside)
            for column in range(2):
                ax = figure.add_subplot(grid[row, 1 + column])
                self._maps(ax, layers, column, 0)
                if column == 0:
                    ax.set_ylabel(network.name, fontsize=11, fontweight="bold", parse_math=False)
                if column < len(layers):
                    layer, image = layers[column], ax.images[0]
                    ax.set_title(layer.title, fontsize=9, parse_math=False)
                    ax.set_xlabel(layer.caption, fontsize=8)
                    updates.append(lambda at, to=image, layer=layer: to.set_data(layer.tiles[at].numpy()))
            ax = figure.add_subplot(grid[row, 3])
            updates.append(self._bars(ax, network))
        ax.set_xlabel("class" if self.label is None else f"class (the right one is {self.label})", fontsize=9)
        add_legend(figure, {"probability at 0°": {"color": "black", "marker": "_", "linestyle": "none"}}, columns=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in Picture: a name in letters that the font lacks
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure, updates

    def _bars(self, ax: Axes, network: _Network) -> Callable[[int], object]:
        """Draw a network's class probabilities, with those at 0 degrees as marks; what changes them comes back."""
        p, color = network.probabilities.numpy(), looks_of(n.name for n in self.networks)[network.name]["color"]
        classes = range(p.shape[1])
        bars = ax.bar(classes, p[0], color=color)
        ax.plot(classes, p[0], color="black", marker="_", markersize=9, linestyle="none")
        ax.set(ylim=(0, 1.08), xticks=classes, yticks=(0, 0.5, 1))
        dress(ax, "", "probability", grid="y")
        ax.yaxis.label.set_size(9)
        ax.tick_params(labelsize=8)
        title = ax.set_title(self.answer(network, self.angles[0]), fontsize=10, fontweight="bold")
        if self.label is not None:
            ax.get_xticklabels()[self.label].set_fontweight("bold")

        def update(at: int) -> None:
            for bar, height in zip(bars, p[at], strict=True):
                bar.set_height(height)
            title.set_text(self.answer(network, self.angles[at]))

        return update

    def strip(self, angles: Sequence[int] = FEW) -> Picture:
        """The same for a few angles at once: a column for each, rows for the digit and for each network's layers."""
        layers = [network.shown(LATER) for network in self.networks]
        rows = 1 + sum(max(1, len(some)) for some in layers)
        figure = Picture(1.9 * len(angles) + 0.4, 1.6 + 1.12 * (rows - 1) + 0.25 * len(self.networks))
        axes = figure.subplots(
            rows, len(angles), squeeze=False, gridspec_kw={"height_ratios": [1.4, *[1] * (rows - 1)]}
        )
        for column, angle in enumerate(angles):
            at = self.angles.index(angle)
            draw(axes[0, column], self.images[at, 0], "gray", *self.range)
            axes[0, column].set_title(f"turned by {angle}°", fontsize=11)
            row = 1
            for network, some in zip(self.networks, layers, strict=True):
                for layer in range(max(1, len(some))):
                    ax, row = axes[row, column], row + 1
                    self._maps(ax, some, layer, at)
                    if column == 0:
                        below = f"\n{some[layer].title.replace(', ', chr(10))}" if some else ""
                        ax.set_ylabel(network.name + below, fontsize=7.5, parse_math=False)
                ax.set_xlabel(self.answer(network, angle), fontsize=10, fontweight="bold")
        said = (
            f"{network.name} answers {'; '.join(f'at {a} degrees {self.answer(network, a)}' for a in angles)}."
            for network in self.networks
        )
        which = f"{', '.join(map(str, angles))} degrees"
        figure.alt = f"A digit turned by {which}, with {self._layers_in_words(LATER)}. {' '.join(said)}"
        return figure

    def _maps(self, ax: Axes, layers: list[_Layer], layer: int, at: int) -> None:
        """Draw one layer's tiles: red above zero, blue below."""
        ax.set(xticks=[], yticks=[])
        if layer < len(layers):
            shown = layers[layer]
            draw(ax, shown.tiles[at], "RdBu_r", -shown.high, shown.high)
            ax.set_facecolor("0.45")
            return
        ax.spines[:].set_visible(False)
        if words := _NOTHING if layer == 0 else _NO_MORE if layers else "":
            ax.text(0.5, 0.5, words, ha="center", va="center", color="0.35", transform=ax.transAxes)

    def _layers_in_words(self, beside: int) -> str:
        titles = ((n.name, [layer.title for layer in n.shown(beside)]) for n in self.networks)
        shown = ((name, " and ".join(some) or "none to show") for name, some in titles)
        return ", ".join(f"feature maps of {name} ({layers})" for name, layers in shown)


class Slider:
    """What a notebook shows of a `Turning`: a slider above the picture of its angle, or the strip without widgets.

    Attributes:
        slider: the ipywidgets slider; its ``value`` is the angle in degrees.
        number: the field beside it, with the same value.
        layers: the choice of which layer is shown beside each network's first.
        shown: the widget that holds the picture, an ``<img>`` with its words.
        alt: what the strip shows, in words.
    """

    def __init__(self, turning: Turning) -> None:
        import ipywidgets

        self.turning, self.strip = turning, turning.strip()
        self.alt = self.strip.alt
        # A label belongs to a number's field in a way that a screen reader understands, and not to a slider.
        self.number = ipywidgets.BoundedIntText(
            *(0, 0, 360, STEP), description="turn by (°)", layout=ipywidgets.Layout(width="160px")
        )
        self.slider = ipywidgets.IntSlider(
            *(0, 0, 360, STEP), readout=False, layout=ipywidgets.Layout(width="50%", min_width="150px")
        )
        self._link = ipywidgets.jslink((self.number, "value"), (self.slider, "value"))
        self.layers = ipywidgets.Dropdown(
            options=list(turning.choices().items()),
            description="beside the first layer",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="480px", max_width="100%"),
        )
        self.shown = ipywidgets.HTML()
        for control in (self.slider, self.layers):
            control.observe(self._show, names="value")
        controls = [ipywidgets.HBox([self.number, self.slider]), self.layers]
        self.widget = ipywidgets.VBox([*controls, self.shown])
        self._tags: dict[tuple[int, int], str] = {}
        self._show()

    def _show(self, _: object = None) -> None:
        angle = STEP * round(self.slider.value / STEP)  # a number typed beside the slider may lie between two stops
        wanted = angle, self.layers.value
        if wanted not in self._tags:
            data, about = self.turning.picture(*wanted)._repr_mimebundle_()
            shown = about["image/png"]
            self._tags[wanted] = img("png", data["image/png"], shown["width"], shown["alt"])
        self.shown.value = self._tags[wanted]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """The widget for front ends that have widgets, and the strip for all others."""
        data, about = self.strip._repr_mimebundle_()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, **data}, about


def _widgets_work() -> bool:
    """Whether ipywidgets is here and a notebook's kernel runs this, which a terminal or a script is not."""
    if importlib.util.find_spec("ipywidgets") is None or "IPython" not in sys.modules:
        return False
    return getattr(sys.modules["IPython"].get_ipython(), "kernel", None) is not None


def turning(models: Mapping[str, nn.Module], image: torch.Tensor, label: int | None = None) -> Slider | Picture:
    """Turn a digit with a slider, and see feature maps and answers of several networks side by side.

    Of each network, a few channels of its first layer and of another one, which the reader chooses, are shown, the same
    at all angles: those that vary most at 0 degrees. Functions on a group show their orientations s. Red is above zero,
    blue below; each layer has one scale for all angles. Everything is computed once, in evaluation mode and without
    gradients.

    Args:
        models: networks by name, from ``(N, 1, H, H)`` to one number per class, ``(N, classes)``.
        image: the digit, ``(1, H, H)`` or ``(H, H)``.
        label: the right class, if it is to be marked.

    Returns:
        A slider over the angles 0° to 360°; where widgets cannot run, and while grading, a picture with five angles.

    Raises:
        ValueError: an argument of another shape or kind, or a network that does not return one number per class.
    """
    if grading() or not _widgets_work():
        return Turning(models, image, label, FEW).strip()
    return Slider(Turning(models, image, label, range(0, 361, STEP)))
