"""Animations of two ideas on toy pictures: how an image is lifted, and how its maps change when it is turned.

They are animated GIFs, drawn frame by frame: no script, no network, and the same in every front end. Where nothing
should move, the strip of their most telling frames stands in: while grading, on request, and in a browser whose user
asked for less motion.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.transforms import Affine2D
from PIL import Image

from gcnn.environment import grading
from gcnn.plots.picture import TILES, Picture, describe, img

_SEVEN = (
    ".........",
    ".######..",
    "......#..",
    ".....#...",
    "....#....",
    "...#.....",
    "...#.....",
    "...#.....",
    ".........",
)
IMAGE = np.array([[float(pixel == "#") for pixel in row] for row in _SEVEN])  # (9, 9)
"""A toy digit."""
FILTERS = np.array(
    [
        [[2, 2, 2], [-1, -1, -1], [-1, -1, -1]],  # finds ink above
        [[2, -1, -1], [2, -1, -1], [2, -1, -1]],  # on the left
        [[-1, -1, -1], [-1, -1, -1], [2, 2, 2]],  # below
        [[-1, -1, 2], [-1, -1, 2], [-1, -1, 2]],  # on the right
    ],
    dtype=float,
)  # (4, 3, 3)
"""A toy filter in four orientations."""
_HIGH, _WIDTH, _STEPS = 6.0, 9.4, 6  # the largest value of a map; inches; frames of a turn


def maps(image: np.ndarray) -> np.ndarray:
    """The toy filters' four maps, ``(4, H, W)``, of an image ``(H, W)``, whose border counts as empty."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))  # (H, W, 3, 3)
    return np.einsum("hwij,sij->shw", windows, FILTERS)


@dataclass
class Frame:
    """One moment of an animation."""

    draw: Callable[[Axes], None]
    milliseconds: int
    telling: bool = False  # whether the strip shows it
    low: float = 0.0  # below this height nothing is drawn: the strip leaves it out


class Animation:
    """A moving picture that a notebook shows without a script.

    Attributes:
        gif: the animation, an animated GIF.
        strip: its most telling frames, one below the other.
        alt: what is to be seen, in words.
    """

    def __init__(self, frames: Sequence[Frame], width: float, height: float, alt: str, still: bool) -> None:
        """Draw frames whose coordinates run to ``width`` and ``height``; only the strip if ``still``."""
        self.alt, self._size = alt, (width, height)
        told = [frame for frame in frames if frame.telling]
        heights = [height - frame.low for frame in told]
        self.strip = Picture(_WIDTH, _WIDTH * sum(heights) / width)
        axes = self.strip.subplots(len(told), 1, squeeze=False, height_ratios=heights)
        for ax, frame in zip(axes.flat, told, strict=True):
            self._draw(ax, frame)
            ax.set_ylim(frame.low, height)
        self.strip.alt = f"The frames of an animation, one below the other. {alt}"
        self.gif = b"" if still else self._gif(frames)

    def _draw(self, ax: Axes, frame: Frame) -> None:
        width, height = self._size
        ax.set_axis_off()
        frame.draw(ax)
        ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")

    def _gif(self, frames: Sequence[Frame]) -> bytes:
        width, height = self._size
        figure = Picture(_WIDTH, _WIDTH * height / width)
        figure.set_layout_engine("none")
        canvas, ax, pictures = FigureCanvasAgg(figure), figure.add_axes((0, 0, 1, 1)), []
        for frame in frames:
            for artist in [*ax.images, *ax.patches, *ax.texts]:  # ax.clear() would make new axes, which takes longer
                artist.remove()
            self._draw(ax, frame)
            canvas.draw()
            pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
        palette = pictures[-1].quantize(96)  # one for all, or colours would flicker
        first, *rest = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        file, times = io.BytesIO(), [frame.milliseconds for frame in frames]
        first.save(file, format="GIF", save_all=True, append_images=rest, duration=times, loop=0)
        return file.getvalue()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """The animation, the strip where nothing should move or only pictures are shown, and the words."""
        data, about = self.strip._repr_mimebundle_()
        source = f'<source media="(prefers-reduced-motion: reduce)" srcset="data:image/png;base64,{data["image/png"]}">'
        gif = base64.b64encode(self.gif).decode("ascii")
        moving = img("gif", gif, about["image/png"]["width"], f"Animation. {self.alt}")
        return {**data, "text/html": f"<picture>{source}{moving}</picture>"}, about


def _tile(
    ax: Axes, values: np.ndarray, at: tuple[float, float], size: float, frame: str, angle: float = 0, gray: bool = False
) -> None:
    """Draw values around a point, turned counter-clockwise by an angle in degrees."""
    x, y, half = *at, size / 2
    turned = Affine2D().rotate_deg_around(x, y, angle) + ax.transData
    look = {"cmap": "gray", "vmin": 0, "vmax": 1} if gray else {"cmap": "RdBu_r", "vmin": -_HIGH, "vmax": _HIGH}
    extent = (x - half, x + half, y - half, y + half)
    ax.imshow(values, extent=extent, transform=turned, interpolation="nearest", **look)
    ax.add_patch(Rectangle((x - half, y - half), size, size, fill=False, ec=frame, lw=2.5, transform=turned))


def _write(ax: Axes, at: tuple[float, float], text: str, **style: object) -> None:
    ax.text(*at, text, **{"ha": "center", "va": "center", "fontsize": 11, **style})


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color="0.3", lw=1.5))


def _animation(frames: list[Frame], width: float, height: float, alt: str, static: object) -> Animation | Picture:
    if not isinstance(static, bool):
        raise ValueError(f"static must be True or False; got {describe(static)}")
    still = static or grading()
    animation = Animation(frames, width, height, alt, still)
    return animation.strip if still else animation


def lifting_animation(static: bool = False) -> Animation | Picture:
    """The lifting convolution: one filter, turned four times, finds four maps in one image.

    Args:
        static: the strip of the most telling frames instead, as while grading.

    Raises:
        ValueError: ``static`` is not a bool.
    """
    y, n, slots = maps(IMAGE), IMAGE.size, [(6.9 + 2.1 * s, 1.65) for s in range(4)]

    def moment(s: int, angle: float, pixels: int) -> Callable[[Axes], None]:
        def draw(ax: Axes) -> None:
            _write(ax, (7, 3.3), f"s = {s}: the filter, turned by {90 * s}°, slides over the image", fontsize=13)
            _tile(ax, IMAGE, (1.4, 1.65), 2.25, "0.5", gray=True)
            _tile(ax, 3 * FILTERS[0], (4.1, 1.65), 0.75, TILES[s], angle)
            _write(ax, (1.4, 0.25), "image x")
            _write(ax, (4.1, 0.25), "filter ψ, turned")
            _arrow(ax, (2.75, 1.65), (3.35, 1.65))
            _arrow(ax, (4.85, 1.65), (5.7, 1.65))
            for t, at in enumerate(slots):
                done = n if t < s else pixels if t == s else 0
                found = np.where(np.arange(n).reshape(IMAGE.shape) < done, y[t], np.nan)
                _tile(ax, found, at, 1.8, TILES[t] if t <= s else "0.8")
                _write(ax, (at[0], 0.25), f"map s = {t}", color="black" if t <= s else "0.5")
            if 0 < pixels < n:
                row, column = divmod(pixels - 1, len(IMAGE))
                corner = 1.4 - 1.125 + 0.25 * (column - 1), 1.65 + 1.125 - 0.25 * (row + 2)
                ax.add_patch(Rectangle(corner, 0.75, 0.75, fill=False, ec=TILES[s], lw=2.5))

        return draw

    frames = []
    for s in range(4):
        turns = [90 * (s - 1 + i / _STEPS) for i in range(1, _STEPS)] if s else []
        frames += [Frame(moment(s, angle, 0), 80) for angle in turns]
        frames += [Frame(moment(s, 90 * s, pixels), 90) for pixels in range(10, n, 10)]
        frames.append(Frame(moment(s, 90 * s, n), 2500 if s == 3 else 700, True))
    alt = (
        "A filter that finds ink above a pixel slides over the picture of a seven, row by row, and leaves a map of "
        "what it found. Then it is turned by 90, 180 and 270 degrees and finds ink on the left, below and on the "
        "right: one filter, four maps, s = 0 to 3."
    )
    return _animation(frames, 14.2, 3.6, alt, static)


def twist_and_roll(static: bool = False) -> Animation | Picture:
    """What a turn of the input does to maps over p4: each one turns, and moves one place along the group axis.

    The maps of the turned image, drawn below in the end, are computed afresh from the turned image.

    Args:
        static: the strip of the most telling frames instead, as while grading.

    Raises:
        ValueError: ``static`` is not a bool.
    """
    before, after = maps(IMAGE), maps(np.rot90(IMAGE))
    slots, upper, lower, picture = [4.6 + 2.3 * s for s in range(4)], 4.1, 1.45, 1.6

    def moment(text: str, turned: float, moved: float, again: bool) -> Callable[[Axes], None]:
        def draw(ax: Axes) -> None:
            _write(ax, (6.4, 5.55), text, fontsize=13)
            _tile(ax, IMAGE, (picture, upper), 1.7, "0.5", 90 * turned, gray=True)
            for s, x in enumerate(slots):
                _write(ax, (x, upper - 1.25), f"s = {s}")
            for s in range(4):
                start, end = slots[s], slots[(s + 1) % 4]
                dip = 2.6 * np.sin(np.pi * moved) if end < start else 0  # the last goes round below the others
                at = start + (end - start) * moved, upper - dip
                _tile(ax, before[s], at, 1.7, TILES[s], 90 * turned)
            if again:
                _tile(ax, np.rot90(IMAGE), (picture, lower), 1.7, "0.5", gray=True)
                for s, x in enumerate(slots):
                    _tile(ax, after[s], (x, lower), 1.7, "0.5")
                    _write(ax, (x, lower - 1.15), f"s = {s}")

        return draw

    start = "An image and its four maps"
    twist, roll = (
        "Twist: turn the image, and every map turns …",
        "Roll: … and moves one place on, the last to the front",
    )
    end = "Below, the maps computed from the turned image: the same"
    steps = [i / (2 * _STEPS) for i in range(1, 2 * _STEPS)]
    frames = [Frame(moment(start, 0, 0, False), 1800, True, 2.5)]
    frames += [Frame(moment(twist, t, 0, False), 90) for t in steps]
    frames.append(Frame(moment(twist, 1, 0, False), 1200, True, 2.5))
    frames += [Frame(moment(roll, 1, t, False), 90) for t in steps]
    frames.append(Frame(moment(roll, 1, 1, False), 1200, True, 2.5))
    frames.append(Frame(moment(end, 1, 1, True), 3500, True))
    alt = (
        "The picture of a seven and its four maps, s = 0 to 3. The picture turns by 90 degrees, and every map turns "
        "with it. Then each map moves one place on: s = 0 to 1, 1 to 2, 2 to 3, and 3 to 0. The maps computed from the "
        "turned picture, shown below, are the same."
    )
    return _animation(frames, 12.8, 5.9, alt, static)
