"""Tests of what moves in gcnn.plots, and of the questions' figures: what is shown, its stand-ins, what is refused."""

import base64
import io
import re
import subprocess
import sys
import types
import warnings

import nbformat
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_hex
from nbclient import NotebookClient
from PIL import Image
from torch import nn

from gcnn import plots
from gcnn.equivariance import rotate
from gcnn.plots import moving, picture, slider
from gcnn.plots.networks import answers_and_maps
from gcnn.probes import predict


class Invariant(nn.Module):
    """Ten classes from the sorted values of all four turns of a small map: invariant under quarter turns."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.linear = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(inplace=True), nn.Linear(3, 10)

    def forward(self, x):
        """Map (B, 1, H, H) to (B, 10)."""
        y = [self.relu(self.conv(rotate(x, r))).mean((2, 3)) for r in range(4)]
        return 50 * self.linear(torch.stack(y).amax(0))


class Lift(nn.Module):
    """One map for each orientation, as functions on p4 have them: (B, 1, H, H) to (B, 2, S, H, H)."""

    def __init__(self, orientations=4):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(2.0 * orientations).reshape(1, 2, orientations, 1, 1))

    def forward(self, x):
        """Scale the picture differently for each channel and orientation."""
        return self.weight * x[:, :, None]


def on_a_group(orientations=4):
    """A network with orientations in its first layer and a container around a later one."""
    after = nn.Sequential(nn.Flatten(1, 2), nn.Conv2d(2 * orientations, 5, 3))
    return nn.Sequential(Lift(orientations), nn.ReLU(), after, nn.Flatten(), nn.Linear(5 * 49, 10))


@pytest.fixture
def networks():
    """An invariant network, an ordinary one, and one that has nothing but a linear layer."""
    torch.manual_seed(0)
    ordinary = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 49, 10))
    return {"C4CNN": Invariant(), "ordinary CNN": ordinary, "linear": nn.Sequential(nn.Flatten(), nn.Linear(81, 10))}


@pytest.fixture
def digit():
    """A picture, (1, 9, 9), that no turn leaves as it is."""
    return torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def widgets(monkeypatch):
    """A place where widgets work, as a notebook is."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(slider, "_widgets_work", lambda: True)


@pytest.fixture(scope="module")
def animations():
    """Both animations, by name, made once."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        patch.delenv("NBGRADER_EXECUTION", raising=False)
        return {"lifting": plots.lifting_animation(), "twist and roll": plots.twist_and_roll()}


def shown(ax):
    """The picture in a panel, as an array."""
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_layers_are_seen_in_the_order_in_which_they_ran(digit):
    """Is every layer seen once, in order, with its orientations, before what runs later changes it in place?"""
    y, maps = answers_and_maps("net", on_a_group(), digit[None])
    assert y.shape == (1, 10)
    assert [m.layer for m in maps] == ["Lift", "ReLU", "Flatten", "Conv2d"]
    assert maps[0].values.shape == (1, 2, 4, 9, 9) and maps[3].side == 7
    network = Invariant()
    maps = answers_and_maps("net", network, digit[None])[1]
    assert [m.layer for m in maps] == ["Conv2d"] * 4  # in place, a ReLU hands on the tensor that it was given
    assert torch.equal(maps[0].values, predict(network.conv, digit[None]))


def test_no_hook_stays_behind(digit):
    """Are hooks removed and modes restored, also when the network fails?"""
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(), nn.Flatten())
    network[1].eval()
    with pytest.raises(RuntimeError):
        answers_and_maps("net", network, torch.ones(1, 2, 9, 9))
    answers_and_maps("net", network, digit[None])
    assert [m.training for m in network.modules()] == [True, True, False, True]
    assert not any(m._forward_hooks for m in network.modules()) and network[0].weight.grad is None


def test_the_slider_turns_the_digit(widgets, networks, digit):
    """Does moving the slider show the picture of its angle, with its words, and is each made once?"""
    thing = plots.turning(networks, digit, 3)
    assert isinstance(thing, slider.Slider) and thing.slider.value == 0
    before = thing.shown.value
    assert 'alt="A digit turned by 0 degrees' in before
    thing.slider.value = 45
    after = thing.shown.value
    assert after != before and 'alt="A digit turned by 45 degrees' in after
    png = base64.b64decode(re.search(r"base64,([^\"]+)", after)[1])
    assert Image.open(io.BytesIO(png)).size[0] > 1500
    drawn = []
    picture_of = thing.turning.picture
    thing.turning.picture = lambda *wanted: drawn.append(wanted) or picture_of(*wanted)
    thing.slider.value = 0
    assert thing.shown.value == before and not drawn
    thing.slider.value = 92  # typed
    assert "turned by 90 degrees" in thing.shown.value and drawn == [(90, slider.LATER)]
    thing.layers.value = 2
    assert "turned by 90 degrees" in thing.shown.value and drawn[1:] == [(90, 2)]
    thing.layers.index = 0  # back again
    assert (thing.layers.index, thing.layers.value) == (0, slider.LATER) and len(drawn) == 2


def test_each_layer_can_be_chosen(digit):
    """Is every layer's choice of maps shown beside the first at the angle that is asked for, under its own title?"""
    networks = {"deep": on_a_group(), "shallow": nn.Sequential(Lift(), nn.ReLU(), nn.Flatten(), nn.Linear(648, 10))}
    turning = slider.Turning(networks, digit, None, [0, 90])
    choices = {"the last one large enough to read": 0, "2: ReLU": 2, "3: Flatten": 3, "4: Conv2d": 4}
    assert turning.choices() == choices
    titles = {2: "ReLU, 9×9 pixels", 3: "Flatten, 9×9 pixels", 4: "Conv2d, 7×7 pixels"}
    for number, title in titles.items():
        figure = turning.picture(90, number)
        first, second = [ax for ax in figure.axes if ax.get_title().endswith("pixels")][:2]
        assert (first.get_title(), second.get_title()) == ("Lift, 9×9 pixels", title)
        expected = turning.networks[0].layers[number - 1].tiles[1]
        assert np.array_equal(shown(second), expected, equal_nan=True)
        assert f"feature maps of deep (Lift, 9×9 pixels and {title})" in figure.alt
        assert any(text.get_text() == "no further layer" for ax in figure.axes for text in ax.texts) == (number > 2)
        beside = f" and {title}" if number == 2 else ""
        assert f"feature maps of shallow (Lift, 9×9 pixels{beside})" in figure.alt


def test_a_page_without_widgets_shows_the_strip(widgets, networks, digit, capfd):
    """Does a notebook get the widget, with a picture and its words for pages that cannot show it?"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thing = plots.turning(networks, digit)
        data, about = DisplayFormatter().format(thing)
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain"}
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == thing.widget.model_id
    assert data["text/plain"] == about["image/png"]["alt"] == thing.alt
    assert "0, 30, 45, 90, 180 degrees" in thing.alt
    assert capfd.readouterr() == ("", "")


def test_answers_return_at_quarter_turns(networks, digit):
    """Does the invariant network show the same answer at 90 as at 0 degrees, and each the one that it gives?"""
    turning = slider.Turning(networks, digit, 3, range(0, 361, 5))
    invariant, ordinary, _ = turning.networks
    assert torch.allclose(invariant.probabilities[18], invariant.probabilities[0], atol=1e-6)
    assert not torch.allclose(ordinary.probabilities[18], ordinary.probabilities[0], atol=1e-3)
    expected = predict(networks["ordinary CNN"], rotate(digit[None], 1)).double().softmax(1)[0]
    assert torch.allclose(ordinary.probabilities[18], expected, atol=1e-6)
    at_0 = turning.answer(invariant, 0)
    figure = turning.picture(90)
    answers = [ax.get_title() for ax in figure.axes if ax.patches]
    assert answers[0] == at_0 and answers[0].endswith(("right", "wrong"))
    assert np.array_equal(shown(figure.axes[0]), rotate(digit, 1)[0])
    heights = [bar.get_height() for bar in next(ax for ax in figure.axes if ax.patches).patches]
    assert heights == pytest.approx(invariant.probabilities[18].tolist())
    assert f"C4CNN answers {at_0}." in figure.alt


def test_orientations_are_shown(digit):
    """Are functions on a group shown with their orientations, four or eight, and other layers by channels?"""
    four, eight = (
        slider.Turning({"n": on_a_group(s)}, digit, None, [0, 90]).networks[0].layers[0].tiles for s in (4, 8)
    )
    assert four.shape == eight.shape == (2, 19, 39)
    for s in range(4):
        assert torch.allclose(four[1, 10:, 10 * s : 10 * s + 9], (4 + s) * rotate(digit, 1)[0])
        assert torch.allclose(eight[0, 10:, 10 * s : 10 * s + 9], (12 + s) * digit[0])
    assert four[:, 9].isnan().all() and eight[:, :, 9].isnan().all()
    layers = slider.Turning({"n": on_a_group()}, digit, None, [0]).networks[0].shown(slider.LATER)
    assert [layer.title for layer in layers] == ["Lift, 9×9 pixels", "Conv2d, 7×7 pixels"]
    assert layers[0].caption == "2 of 2 channels, a row each; s = 0 to 3" and layers[1].caption == "5 of 5 channels"


@pytest.mark.parametrize("why", ["grading", "no ipywidgets", "no notebook"])
def test_without_widgets_there_is_a_picture(why, widgets, networks, digit, monkeypatch):
    """Does a picture with a few angles stand in while grading, without ipywidgets and outside a notebook?"""
    if why == "grading":
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    else:
        monkeypatch.undo()
        monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
        if why == "no ipywidgets":
            kernel = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(kernel=object()))
            monkeypatch.setitem(sys.modules, "IPython", kernel)
            assert slider._widgets_work()
            monkeypatch.setattr(slider.importlib.util, "find_spec", lambda name: None)
    figure = plots.turning(networks, digit, 3)
    assert isinstance(figure, plots.Picture)
    assert [ax.get_title() for ax in figure.axes[:5]] == [f"turned by {a}°" for a in (0, 30, 45, 90, 180)]
    assert "C4CNN answers at 0 degrees" in figure.alt and "linear (none to show)" in figure.alt


def test_a_kernel_shows_a_slider(monkeypatch):
    """Does a notebook's kernel show the widget with the strip, without a word on stderr, and an animation as a page?"""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    make = (
        "import torch\nfrom torch import nn\nfrom gcnn import plots\n"
        "net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(294, 10))\n"
        "shown = plots.turning({'n': net}, torch.rand(1, 9, 9))"
    )
    turn = "shown.slider.value = 45\nprint('turned by 45 degrees' in shown.shown.value)"
    cells = [make, "shown", turn, "plots.twist_and_roll()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    made, seen, turned, moving_picture = (cell.outputs for cell in notebook.cells)
    assert made == [] and [output.output_type for output in seen] == ["execute_result"]
    kinds = {"application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain"}
    assert set(seen[0].data) == kinds
    assert [output.text for output in turned] == ["True\n"]
    assert "<picture>" in moving_picture[0].data["text/html"] and len(moving_picture) == 1


def test_ipywidgets_is_optional():
    """Can the figures be imported, and a digit be turned, where ipywidgets is not installed?"""
    program = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "import torch; from torch import nn; from gcnn import plots\n"
        "net = nn.Sequential(nn.Flatten(), nn.Linear(81, 10))\n"
        "print(type(plots.turning({'n': net}, torch.rand(1, 9, 9))).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("Picture\n", "")


def test_turning_leaves_networks_as_they_were(networks, digit):
    """Is a network in training mode, in another dtype, turned and left in its mode and dtype?"""
    network = networks["ordinary CNN"].double().train()
    plots.turning({"n": network}, digit)
    plots.equivariance_against_angle({"n": network}, digit[None])
    assert all(m.training for m in network.modules())
    assert network[0].weight.dtype == torch.float64 and network[0].weight.grad is None
    assert not any(m._forward_hooks for m in network.modules())


def test_the_toy_filters_are_one_filter_turned():
    """Are the four toy filters one, turned counter-clockwise, and do their maps twist and roll when the image turns?"""
    for s in range(4):
        assert np.array_equal(moving.FILTERS[s], np.rot90(moving.FILTERS[0], s))
    before, after = moving.maps(moving.IMAGE), moving.maps(np.rot90(moving.IMAGE))
    expected = torch.conv2d(
        torch.tensor(moving.IMAGE)[None, None], torch.tensor(moving.FILTERS)[:, None], padding=1
    ).numpy()[0]
    assert np.array_equal(before, expected) and abs(before).max() <= moving._HIGH
    for s in range(4):
        assert np.array_equal(after[(s + 1) % 4], np.rot90(before[s]))


def test_animations_move_offline_and_are_small(animations, capfd):
    """Is each an animated GIF in one tag, with words, without a script or an address, below a megabyte in all?"""
    for name, animation in animations.items():
        data, about = DisplayFormatter().format(animation)
        assert set(data) == {"text/html", "image/png", "text/plain"}
        assert data["text/plain"] == about["image/png"]["alt"] == animation.strip.alt, name
        assert animation.strip.alt.endswith(animation.alt) and len(animation.alt) > 100
        page = data["text/html"]
        assert f'alt="Animation. {animation.alt}"' in page and "prefers-reduced-motion" in page
        assert "<script" not in page and "http" not in page
        assert len(page) + len(data["image/png"]) < 1_000_000
        with Image.open(io.BytesIO(animation.gif)) as gif:
            assert gif.is_animated and gif.n_frames > 20 and gif.info["loop"] == 0
            assert gif.size[0] == 940
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("function", [plots.lifting_animation, plots.twist_and_roll])
def test_animations_can_stand_still(function, monkeypatch):
    """Is the strip of frames shown on request and while grading, and does the last show the law?"""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    strip = function(static=True)
    assert isinstance(strip, plots.Picture) and len(strip.axes) == 4 and strip.alt.startswith("The frames of an")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert isinstance(function(), plots.Picture)


def test_the_last_frames_show_what_is_claimed(monkeypatch):
    """Does the lifting end with four whole maps, and the roll with each map over the one computed afresh?"""
    y = moving.maps(moving.IMAGE)
    drawn = [image.get_array() for image in plots.lifting_animation(static=True).axes[-1].images]
    for s in range(4):
        assert np.array_equal(drawn[2 + s], y[s])
    after = moving.maps(np.rot90(moving.IMAGE))
    ax = plots.twist_and_roll(static=True).axes[-1]
    places = {round(sum(image.get_extent()[:2]) / 2, 3): image.get_array() for image in ax.images[1:5]}
    for t, x in enumerate(sorted(places)):
        assert np.array_equal(np.rot90(places[x]), after[t])
        assert np.array_equal(ax.images[6 + t].get_array(), after[t])


def lines(figure):
    """The curves of a figure by colour: angles and values."""
    return {
        to_hex(o.get_color()): (o.get_xdata(), np.asarray(o.get_ydata()))
        for o in figure.axes[0].lines
        if len(o.get_xdata()) > 50
    }


def test_errors_vanish_at_quarter_turns(networks, digit):
    """Is an invariant network's error rounding at quarter turns, and another's not, at every fifth degree?"""
    figure = plots.equivariance_against_angle({k: networks[k] for k in ("C4CNN", "ordinary CNN")}, digit[None])
    curves = lines(figure)
    x, y = curves[to_hex(picture.BLUE)]
    quarter = x % 90 == 0
    assert list(x) == list(range(0, 361, 5))
    assert (y[quarter] < 1e-4).all() and (y[~quarter] > 1e-3).all()
    _, y = curves[to_hex(picture.VERMILION)]
    assert (y[quarter & (x % 360 > 0)] > 1e-2).all()
    assert figure.axes[0].get_ylabel() == "relative error of invariance" and figure.axes[0].get_yscale() == "log"
    assert "C4CNN, invariance" in figure.alt and "at 90" in figure.alt


def test_layers_are_compared_with_turned_maps(digit):
    """Is a pointwise layer equivariant at all angles, one with orientations by the largest, and an edge filter not?"""
    edge = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        edge.weight.copy_(torch.tensor([[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]]))
    smooth = torch.ones(1, 1, 33, 33) * torch.linspace(0, 1, 33)
    layers = {"C4CNN": nn.Conv2d(1, 2, 1, bias=False), "IsotropicCNN": Lift(), "ordinary CNN": edge}
    figure = plots.equivariance_against_angle(layers, smooth)
    curves = lines(figure)
    assert (curves[to_hex(picture.BLUE)][1] < 1e-4).all() and (curves[to_hex(picture.GREEN)][1] < 1e-4).all()
    assert curves[to_hex(picture.VERMILION)][1][18] > 0.5
    assert figure.axes[0].get_ylabel() == "relative error of equivariance"


class SixUp(nn.Module):
    """A 6 where the upper half is brighter than the lower, else a 9: not invariant."""

    def forward(self, x):
        """Map (B, 1, H, H) to (B, 10)."""
        y = torch.zeros(len(x), 10)
        half = x.shape[-1] // 2
        y[:, 6] = 20 * (x[..., :half, :].mean((1, 2, 3)) - x[..., -half:, :].mean((1, 2, 3)))
        y[:, 9] = 1
        return y


def some_digits(sixes=6, nines=5):
    """Sixes bright above, nines bright below, and a digit that is neither."""
    labels = torch.tensor([6] * sixes + [9] * nines + [1])
    images = torch.zeros(len(labels), 1, 9, 9)
    images[labels == 6, :, :4] = 1.0
    images[labels == 9, :, -4:] = 1.0
    return types.SimpleNamespace(images=images, labels=labels)


def test_six_or_nine_counts_both_ways():
    """Does a network that is not invariant take each for the other when turned, and do the tables and words say so?"""
    figure = plots.six_or_nine(SixUp(), some_digits())
    tables = [shown(ax) for ax in figure.axes if ax.images and ax.images[0].get_array().shape == (2, 3)]
    assert np.allclose(tables[0], [[100, 0, 0], [0, 100, 0]]) and np.allclose(tables[1], [[0, 100, 0], [100, 0, 0]])
    heads = [ax.get_title() for ax in figure.axes if ax.get_title().startswith("a ")]
    assert heads == ["a 6"] * 4 + ["a 9"] * 4
    assert "Turned by 180 degrees: of the sixes, 0.0 % are taken for a 6 and 100.0 % for a 9" in figure.alt
    assert [t.get_text() for t in figure.axes[-1].get_yticklabels()] == ["6 sixes", "5 nines"]
    assert DisplayFormatter().format(figure)[0]["text/plain"] == figure.alt


def test_an_invariant_network_answers_the_same(networks):
    """Are an invariant network's bars and tables the same for the turned digits, also with one six only?"""
    network = networks["C4CNN"].train()
    figure = plots.six_or_nine(network, some_digits(sixes=1))
    tables = [shown(ax) for ax in figure.axes if ax.images and ax.images[0].get_array().shape == (2, 3)]
    assert np.array_equal(*tables)
    bars = [[bar.get_height() for bar in ax.patches] for ax in figure.axes if ax.patches]
    assert len(bars) == 5 and all(bar[:2] == pytest.approx(bar[2:], abs=1e-6) for bar in bars)
    assert network.training


def test_names_may_hold_anything(digit, capfd):
    """Do names that start with _, hold $ or letters that the font lacks stand as they are, without a warning?"""
    network = nn.Sequential(nn.Flatten(), nn.Linear(81, 10))
    names = ["_mine", r"a $\frac$ <b>", "网络"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        turning = slider.Turning(dict.fromkeys(names, network), digit, None, [0, 30, 45, 90, 180])
        for figure in (turning.strip(), turning.picture(45)):
            assert DisplayFormatter().format(figure)[0]["image/png"]
        DisplayFormatter().format(plots.equivariance_against_angle(dict.fromkeys(names, network), digit[None]))
    assert capfd.readouterr() == ("", "")


NET = nn.Sequential(nn.Flatten(), nn.Linear(81, 10))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: plots.turning(NET, torch.ones(1, 9, 9)), "dictionary by name.*got Sequential"),
        (lambda: plots.turning({"n": NET}, torch.ones(2, 9, 9)), "image must be"),
        (lambda: plots.turning({"n": NET}, torch.ones(1, 9, 9), 10), "one of n's 10 classes, 0 to 9; got 10"),
        (lambda: plots.turning({"n": NET}, torch.ones(1, 9, 9), torch.tensor(1)), r"label must be.*int\("),
        (lambda: plots.turning({"n": nn.Conv2d(1, 2, 3)}, torch.ones(1, 9, 9)), r"n must return \(5, 1 or more\)"),
        (lambda: plots.lifting_animation(static=1), r"True or False; got 1 \(int\)"),
        (lambda: plots.twist_and_roll(static="yes"), r"True or False; got 'yes'"),
        (lambda: plots.equivariance_against_angle([NET], torch.ones(1, 1, 9, 9)), "dictionary by name.*got list"),
        (lambda: plots.equivariance_against_angle({"n": NET}, torch.ones(1, 9, 9)), r"\(N, C, H, H\).*\(1, 9, 9\)"),
        (
            lambda: plots.equivariance_against_angle({"n": nn.Flatten(0)}, torch.ones(2, 1, 9, 9)),
            r"n must return \(2, classes\) or feature maps.*got torch.float32 \(162,\)",
        ),
        (lambda: plots.six_or_nine({"n": NET}, some_digits()), "model must be a network.*got dict"),
        (lambda: plots.six_or_nine(NET, torch.ones(3)), "dataset must have the tensors"),
        (lambda: plots.six_or_nine(NET, some_digits(nines=0)), "must hold sixes and nines"),
        (lambda: plots.six_or_nine(nn.Sequential(nn.Flatten(), nn.Linear(81, 9)), some_digits()), r"10 or more"),
    ],
)
def test_wrong_input_is_named(call, says):
    """Does each mistake stop with what was given and what is taken?"""
    with pytest.raises(ValueError, match=says):
        call()


def test_numbers_that_are_not_finite_are_named(digit):
    """Does a network that has run off to NaN say so, in place of an empty picture?"""
    network = nn.Sequential(nn.Flatten(), nn.Linear(81, 10))
    nn.init.constant_(network[1].weight, float("nan"))
    with pytest.raises(ValueError, match="n's answers for this digit are not finite"):
        plots.turning({"n": network}, digit)
