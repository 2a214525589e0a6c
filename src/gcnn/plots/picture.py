"""What all figures share: a figure that shows itself, with words for it, the colours, and checks of what is drawn."""

import base64
import html
import io
import warnings
from collections.abc import Callable, Iterable, Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from gcnn.data import turn
from gcnn.environment import grading
from gcnn.equivariance import rotate

# The palette of Okabe & Ito (2008), which colour-blind readers can tell apart. A network looks the same in all figures.
BLUE, VERMILION, GREEN, SKY, PURPLE, ORANGE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7", "#E69F00"
LOOKS = {
    "C4CNN": {"color": BLUE, "marker": "o"},
    "ordinary CNN": {"color": VERMILION, "marker": "s"},
    "IsotropicCNN": {"color": GREEN, "marker": "^"},
    "C4CNN with batch norm": {"color": SKY, "marker": "D"},
    "D4CNN": {"color": PURPLE, "marker": "v"},
}
OTHER_LOOKS = {"color": ORANGE, "marker": "P"}, {"color": "black", "marker": "X"}, {"color": "0.6", "marker": "*"}
TILES = (BLUE, VERMILION, GREEN, PURPLE)  # frames that follow one of four tiles
SMALLEST_ERROR = 1e-17  # where an error of exactly 0 stands on a logarithmic axis


class Picture(Figure):
    """A figure that Jupyter shows without pyplot, with words for those who cannot see it.

    Attributes:
        alt: what the figure shows, in words: for screen readers, and where only text can be shown.
    """

    def __init__(self, width: float, height: float):
        """Make an empty figure, ``width`` by ``height`` inches of 100 pixels on the screen."""
        super().__init__(figsize=(width, height), dpi=100, layout="constrained")
        self.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        self.alt = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """The figure as IPython asks for it: a picture with twice the screen's pixels, and its words.

        JupyterLab and the pages that nbconvert writes show a bare picture without its words, so it stands in a tag with
        them, too; a grader has its own pages, which know where the words are.
        """
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name in letters that the font lacks must not put a warning on stderr
            self.savefig(file, format="png", dpi=200)
        png = base64.b64encode(file.getvalue()).decode("ascii")
        shown = {"width": round(100 * self.get_figwidth()), "alt": self.alt}
        page = {} if grading() else {"text/html": img("png", png, shown["width"], self.alt)}
        return {**page, "image/png": png, "text/plain": self.alt}, {"image/png": shown}


def img(kind: str, data: str, width: int, words: str) -> str:
    """The tag of a picture that is part of the page, never wider than its place.

    Args:
        kind: "png" or "gif".
        data: the picture, in base64.
        width: in pixels of the screen, where there is room.
        words: what it shows.
    """
    source = f'src="data:image/{kind};base64,{data}" width="{width}"'
    return f'<img {source} style="max-width: 100%" alt="{html.escape(words, quote=True)}">'


def describe(value: object) -> str:
    """What was given, for a message: a tensor's dtype and shape, a plain value, else the type."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    return f"{value!r} ({type(value).__name__})" if isinstance(value, (int, float, str)) else type(value).__name__


def checked_tensor(value: object, what: str, shapes: str, fits: Callable[[torch.Tensor], bool]) -> torch.Tensor:
    """A tensor whose shape fits, detached and on the CPU.

    Raises:
        ValueError: something else, or values that are not finite; the message names ``what`` and ``shapes``.
    """
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.numel() or not fits(value):
        raise ValueError(f"{what} must be a floating-point tensor {shapes}; got {describe(value)}")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{what} must be finite; got NaN or infinite values")
    return value.detach().cpu()


def one_digit(image: object) -> torch.Tensor:
    """One square image as ``(1, 1, H, H)``."""
    x = checked_tensor(image, "image", "(1, H, H) or (H, H)", lambda x: x.dim() > 1 and x.numel() == x.shape[-1] ** 2)
    return x.reshape(1, 1, x.shape[-1], x.shape[-1])


def turned_copies(image: torch.Tensor, angles: Iterable[float]) -> torch.Tensor:
    """One image ``(1, 1, H, H)`` at each angle, ``(N, 1, H, H)``. Its quarter turns only move pixels."""
    return torch.cat([rotate(turn(image, a % 90) if a % 90 else image, int(a // 90)) for a in angles])


def draw(ax: Axes, picture: torch.Tensor, cmap: str, low: float, high: float, frame: str | None = None) -> AxesImage:
    """Draw ``(H, W)`` pixel by pixel, with colours from ``low`` to ``high`` and a frame, wide if it has a colour."""
    ax.set(visible=True, xticks=[], yticks=[])
    ax.spines[:].set(color=frame or "0.6", linewidth=3 if frame else 0.8)
    return ax.imshow(picture.double().numpy(), cmap=cmap, vmin=low, vmax=high, interpolation="nearest")


def dress(ax: Axes, x: str, y: str, grid: str = "both") -> None:
    """The look of every panel with axes: what they are, a light grid behind, no box."""
    ax.set(xlabel=x, ylabel=y, axisbelow=True)
    ax.grid(axis=grid, color="0.9", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)


def mark_circle(ax: Axes) -> None:
    """Degrees once around on the x axis, quarter turns marked."""
    ax.set(xlim=(-8, 368), xticks=range(0, 361, 45), xticklabels=[f"{a}°" for a in range(0, 361, 45)])
    for a in range(0, 361, 90):
        ax.axvline(a, color="0.6", linewidth=1, linestyle=":", zorder=0)


def looks_of(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour and marker by name: fixed for the course's networks, in turn for others."""
    others = [name for name in names if name not in LOOKS]
    return LOOKS | {name: OTHER_LOOKS[i % len(OTHER_LOOKS)] for i, name in enumerate(others)}


def add_legend(figure: Picture, entries: Mapping[str, Mapping[str, object]], columns: int) -> None:
    """A legend below all panels: line styles by the text beside them."""
    handles = [Line2D([], [], **style) for style in entries.values()]
    where = {"loc": "outside lower center", "ncols": columns, "frameon": False}
    legend = figure.legend(handles, ["name"] * len(handles), **where)
    for shown, text in zip(legend.get_texts(), entries, strict=True):
        shown.set(text=text, parse_math=False)  # only now: a label that starts with _ would be left out
