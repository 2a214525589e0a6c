"""Tests of gcnn.plots: what each figure draws and says, that it shows itself once, and what it refuses."""

import types
import warnings

import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter
from matplotlib import _pylab_helpers
from matplotlib.colors import to_hex
from matplotlib.patches import ConnectionPatch
from nbclient import NotebookClient
from torch import nn

from gcnn import plots
from gcnn.budgets import Budget
from gcnn.equivariance import rotate
from gcnn.history import History
from gcnn.plots import picture
from gcnn.probes import predict
from gcnn.training import train_model


class Corner(nn.Module):
    """Class 1 for a picture whose top left quarter is the brightest, else class 0: as far from invariant as can be."""

    def __init__(self, over=(0,)):
        super().__init__()
        self.over, self.scale = over, nn.Parameter(torch.ones(()))

    def forward(self, x):
        """Map (B, 1, H, W) to (B, 2); with ``over=range(4)``, the largest over all quarter turns: invariant."""
        quarter = torch.stack([rotate(x, r)[..., :4, :4].mean((1, 2, 3)) for r in self.over]).amax(0)
        return self.scale * torch.stack([torch.zeros_like(quarter), 40 * quarter - 4], 1)


@pytest.fixture
def networks():
    """A network that is invariant under quarter turns, and one that is not."""
    return {"C4CNN": Corner(range(4)), "ordinary CNN": Corner()}


@pytest.fixture
def digit():
    """A picture, (1, 9, 9), bright in its top left quarter."""
    image = torch.zeros(1, 9, 9)
    image[:, 1:4, 1:4] = 0.8
    return image


def history(epochs, steps):
    """Curves of a training: accuracy rises by 10 % in each epoch, the loss is 1/2 in every step."""
    n = len(epochs)
    rising = [50.0 + 10 * i for i in range(n)]
    return History(
        *(Budget("tiny", epochs[-1]), 0, "cpu", "float32"),
        *(epochs, [0.5] * n, rising, rising, [0.1] * n, [1.0] * n, [0.5] * steps),
    )


def trained(epochs=(1.0, 2.0), steps=100):
    """A network with such curves."""
    network = nn.Linear(1, 1)
    network.history = history(list(epochs), steps)
    return network


def dataset(angles):
    """Pictures that `Corner` gets right where the angle is below 180, one per angle."""
    images = torch.zeros(len(angles), 1, 9, 9)
    images[angles < 180, :, :4, :4] = 1.0
    return types.SimpleNamespace(images=images, labels=torch.ones(len(angles), dtype=torch.long), angles=angles)


def every_figure(networks, digit):
    """One figure of each kind, by the name of its function."""
    bank = torch.stack([rotate(torch.arange(9.0).reshape(3, 3), s) for s in range(4)])
    return {
        "images": plots.images(digit[None], titles=["it"]),
        "digits_turned": plots.digits_turned(digit),
        "filters": plots.filters(bank),
        "feature_maps": plots.feature_maps(bank, bank.roll(1, 0)),
        "history": plots.history({"C4CNN": trained()}),
        "prediction_under_rotation": plots.prediction_under_rotation(networks, digit, 1),
        "invariance_by_size": plots.invariance_by_size([33, 34], [1e-16, 0.1]),
        "accuracies": plots.accuracies({"C4CNN": 95.0}, {"C4CNN": 393_290}),
        "accuracy_against_angle": plots.accuracy_against_angle(networks, dataset(torch.arange(0.0, 360, 5))),
    }


def seen(figure):
    """The axes that are to be seen."""
    return [ax for ax in figure.axes if ax.get_visible()]


def legend(figure):
    """The texts of the legend below the panels."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(figure, color, panel=0, at_least=2):
    """The data, (x, y), of the first line of this colour with so many points."""
    lines = [
        o for o in figure.axes[panel].lines if to_hex(o.get_color()) == to_hex(color) and len(o.get_xdata()) >= at_least
    ]
    return np.asarray(lines[0].get_xdata(), float), np.asarray(lines[0].get_ydata(), float)


def test_every_figure_shows_itself_with_words_and_without_a_sound(networks, digit, capfd):
    """Does each figure give IPython one picture with its words, without a warning and without a figure left behind?"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, figure in every_figure(networks, digit).items():
            data, metadata = DisplayFormatter().format(figure)
            assert set(data) == {"text/html", "image/png", "text/plain"}, name
            assert data["text/plain"] == figure.alt == metadata["image/png"]["alt"]
            tag = BeautifulSoup(data["text/html"], "html.parser").img
            assert tag["alt"] == figure.alt and tag["src"] == f"data:image/png;base64,{data['image/png']}"
            assert len(figure.alt) > 25 and figure.alt.endswith("."), name
            assert 200 < metadata["image/png"]["width"] < 1000
    assert capfd.readouterr() == ("", "")
    assert not _pylab_helpers.Gcf.figs


def test_a_grader_gets_each_figure_once(monkeypatch):
    """Is the tag, which holds the picture once more, left out while grading?"""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    data, metadata = DisplayFormatter().format(plots.accuracies({"C4CNN": 95.0}, {}))
    assert set(data) == {"image/png", "text/plain"} and metadata["image/png"]["alt"] == data["text/plain"]


def test_a_name_may_hold_anything(capfd):
    """Do names that start with _, hold $ or letters that the font lacks stand as they are, without a warning?"""
    names = ["_mine", r"a $\frac$ b", "网络"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.history({name: trained() for name in names})
        bars = plots.accuracies(dict.fromkeys(names, 50), {})
        titled = plots.images(torch.rand(3, 5, 5), titles=names)
        for each in (figure, bars, titled):
            assert DisplayFormatter().format(each)[0]["image/png"]
    assert all(text.startswith(name) for name, text in zip(names, legend(figure), strict=True))
    assert capfd.readouterr() == ("", "")


def test_a_notebook_shows_a_figure_once():
    """Does a figure appear exactly once as a cell's last value and by display, with pyplot imported or not?"""
    make = "plots.accuracies({'C4CNN': 95.0}, {'C4CNN': 393290})"
    cells = ["from gcnn import plots", make, f"display({make})", f"import matplotlib.pyplot as plt\n{make}"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    first, *showing = (cell.outputs for cell in notebook.cells)
    assert first == []
    for outputs in showing:
        assert [output.output_type for output in outputs] in (["execute_result"], ["display_data"])
        assert outputs[0].data["text/plain"] == "Accuracy and number of parameters. C4CNN: 95.0 %, 393,290 parameters."
        assert outputs[0].metadata["image/png"]["alt"] == outputs[0].data["text/plain"]


def test_networks_keep_their_colours():
    """Does a network have one colour in all figures, another than all others', also where it is not the course's?"""
    names = [*picture.LOOKS, "mine", "yours"]
    several = plots.accuracies(dict.fromkeys(names, 50), {})
    colors = [to_hex(bar.get_facecolor()) for bar in several.axes[0].patches]
    assert len(set(colors)) == len(names)
    alone = plots.history({"D4CNN": trained()})
    assert to_hex(alone.axes[0].lines[0].get_color()) == colors[names.index("D4CNN")]


def test_images_are_gray_and_not_interpolated():
    """Is each picture drawn under its title, black at 0 and white at 1, pixel by pixel?"""
    x = 0.5 * torch.rand(11, 1, 6, 5)
    figure = plots.images(x, titles=range(11))
    shown = [ax.images[0] for ax in seen(figure)]
    assert [ax.get_title() for ax in seen(figure)] == [str(i) for i in range(11)]
    for drawn, image in zip(x, shown, strict=True):
        assert np.allclose(image.get_array(), drawn[0])
        assert (image.get_cmap().name, image.get_clim(), image.get_interpolation()) == ("gray", (0, 1), "nearest")


def test_images_beyond_0_and_1_share_a_scale():
    """Can feature maps beside a digit be compared with each other, while the digit looks as always?"""
    x = torch.stack([torch.eye(4), 3 * torch.eye(4), -torch.eye(4)])
    assert [ax.images[0].get_clim() for ax in seen(plots.images(x))] == [(0, 1), (-1, 3), (-1, 3)]


def test_digits_turned_marks_exact_turns(digit):
    """Are quarter turns, and they alone, pixels moved around, and do the pictures say so?"""
    axes = seen(plots.digits_turned(digit, step=45))
    assert [ax.get_title() for ax in axes] == [f"{a}°" for a in range(0, 360, 45)]
    assert [ax.get_xlabel() for ax in axes] == ["exact", "interpolated"] * 4
    for r in range(4):
        assert np.array_equal(axes[2 * r].images[0].get_array(), rotate(digit, r)[0])
    assert len(seen(plots.digits_turned(digit[0], step=22.5))) == 16


def test_filters_are_centred_at_zero():
    """Is white zero, so that colours tell the sign, with one scale for all tiles?"""
    bank = torch.stack([rotate(torch.arange(9.0).reshape(3, 3) - 2, s) for s in range(4)])
    figure = plots.filters(bank)
    tiles = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in tiles] == ["s = 0", "s = 1", "s = 2", "s = 3"]
    assert {ax.images[0].get_clim() for ax in tiles} == {(-6, 6)}
    assert plots.filters(torch.zeros(4, 3, 3)).alt


def test_group_filters_follow_a_tile():
    """Do frames follow each tile of a right group bank from row to row, and none where the bank is wrong?"""
    weight = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0))
    right = torch.stack([rotate(weight, s).roll(s, 0) for s in range(4)])
    wrong = torch.stack([rotate(weight, s) + s for s in range(4)])

    def frames(bank):
        tiles = [ax for ax in plots.filters(bank).axes if ax.images]
        assert (tiles[5].get_title(), tiles[4].get_ylabel(), tiles[1].get_title()) == (
            "",
            "output s = 1",
            "input t = 1",
        )
        return np.array([to_hex(ax.spines["left"].get_edgecolor()) for ax in tiles]).reshape(4, 4)

    colors = frames(right)
    assert len(set(colors[0])) == 4
    assert all(colors[s, (t + s) % 4] == colors[0, t] for s in range(4) for t in range(4))
    assert len(set(frames(wrong)[1:].flat)) == 1


@pytest.mark.parametrize("r", [1, 2, 3])
def test_feature_maps_show_the_law(r):
    """Are maps that turn and move along joined by arrows, and does each lower one say which upper one it was?"""
    before = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    figure = plots.feature_maps(before, rotate(before, r).roll(r, 0))
    assert sum(isinstance(artist, ConnectionPatch) for artist in figure.artists) == 4
    for s in range(4):
        t = (s + r) % 4
        assert figure.axes[4 + t].get_xlabel() == f"s = {t}\n(s = {s} turned by {90 * r}°)"
        assert figure.axes[4 + t].spines["top"].get_edgecolor() == figure.axes[s].spines["top"].get_edgecolor()
    assert f"lower map s + {r}" in figure.alt and f"{90 * r} degrees" in figure.alt


def test_feature_maps_without_the_law_have_no_arrows():
    """Are maps that turn the wrong way or do not move along shown without a claim?"""
    before = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    for after in (rotate(before, 1) + 0.01 * before, before.flip(-1), torch.randn(4, 5, 6)):
        figure = plots.feature_maps(before, after)
        assert not [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]
        assert "not the upper ones" in figure.alt


def test_history_shows_loss_and_accuracies():
    """Are loss and both accuracies drawn against epochs, each where it belongs, with the last one in the legend?"""
    figure = plots.history({"C4CNN": trained((1.0, 2.0, 2.5), 50)})
    loss, accuracy = figure.axes
    x, y = line(figure, picture.BLUE)
    assert 0 < x[0] < x[-1] < 2.5 and np.allclose(y, 0.5)
    assert loss.get_yscale() == "log"
    training, validation = accuracy.lines
    assert np.allclose(training.get_xdata(), [0.5, 1.5, 2.25]) and training.get_linestyle() == "--"
    assert list(validation.get_xdata()) == [1, 2, 2.5] and list(validation.get_ydata()) == [50, 60, 70]
    assert legend(figure) == ["C4CNN, 70.0 % in the end"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss (cross-entropy)", "accuracy (%)"]


def test_history_of_a_graded_training(networks, monkeypatch):
    """Are the curves of a part of an epoch, as a grader's run leaves them, shown as well?"""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    data = dataset(torch.arange(0.0, 360, 4))
    data.labels = (data.angles < 180).long()
    budget = Budget("grading", epochs=0.5, batch_size=10)
    model = train_model(networks["C4CNN"], budget, train_set=data, valid_set=data, progress=False)
    figure = plots.history({"C4CNN": model})
    assert [len(curve.get_xdata()) for curve in figure.axes[1].lines] == [1, 1]
    assert DisplayFormatter().format(figure)[0]["image/png"]


def test_history_of_one_step():
    """Is even a single step to be seen, as a point?"""
    figure = plots.history({"C4CNN": trained((0.1,), 1)})
    assert figure.axes[0].lines[0].get_marker() == "."


def test_prediction_returns_at_quarter_turns(networks, digit):
    """Is the invariant network's curve the same at all quarter turns, the other's the softmax of its outputs?"""
    figure = plots.prediction_under_rotation(networks, digit, 1)
    x, y = line(figure, picture.BLUE, at_least=100)
    assert (x[0], x[-1]) == (0, 360) and set(range(0, 361, 90)) <= set(x)
    assert np.allclose(y[x % 90 == 0], y[0], atol=1e-12)
    assert np.allclose(y[:31], y[30:61], atol=1e-5)
    x, y = line(figure, picture.VERMILION, at_least=100)
    expected = predict(networks["ordinary CNN"], rotate(digit[None], 1)).softmax(1)[0, 1].item()
    assert y[x == 90] == pytest.approx(expected, abs=1e-6) and y[0] > 0.9 > 0.1 > y[x == 180]
    assert figure.axes[0].get_ylabel() == "probability of the class 1"
    assert legend(figure)[:2] == list(networks)
    assert len(figure.axes[0].child_axes) == 9  # the digit itself, every 45 degrees


def test_prediction_marks_where_another_class_wins(networks, digit):
    """Do crosses stand where the network is wrong, and only there?"""
    figure = plots.prediction_under_rotation({"ordinary CNN": networks["ordinary CNN"]}, digit, 1)
    crosses = [o for o in figure.axes[0].lines if o.get_marker() == "x"]
    assert len(crosses) == 1
    assert all(crosses[0].get_ydata() < 0.5) and {135, 225} <= set(crosses[0].get_xdata())
    assert "quarter turn" in legend(figure)


def test_networks_are_left_as_they_were(networks, digit):
    """Is a network in training mode, in another dtype, shown and left in its mode and dtype?"""
    network = networks["C4CNN"].double().train()
    plots.prediction_under_rotation({"C4CNN": network}, digit, 1)
    plots.accuracy_against_angle({"C4CNN": network}, dataset(torch.arange(0.0, 360, 30)))
    assert network.training and network.scale.dtype == torch.float64 and network.scale.grad is None


def test_invariance_highlights_33():
    """Does 33 alone have a colour of its own, on a logarithmic axis on which an error of 0 has a place too?"""
    figure = plots.invariance_by_size([33, 34, 35], [0.0, 0.02, 0.3])
    ax = figure.axes[0]
    points = {int(o.get_xdata()[0]): o for o in ax.lines}
    assert ax.get_yscale() == "log"
    assert [to_hex(points[n].get_color()) for n in (33, 34, 35)] == [
        to_hex(c) for c in (picture.VERMILION, picture.BLUE, picture.BLUE)
    ]
    assert points[33].get_ydata()[0] > ax.get_ylim()[0] > 0 and points[35].get_ydata()[0] == 0.3
    assert "33: 0.0e+00" in figure.alt and "35: 3.0e-01" in figure.alt


def test_accuracies_carry_their_figures():
    """Do the bars have the right lengths and say them, in one order, with a question mark for what is not known?"""
    figure = plots.accuracies({"C4CNN": 94.62, "ordinary CNN": 92.0}, {"ordinary CNN": 394_890, "other": 5})
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [94.62, 92.0]
    assert [bar.get_width() for bar in right.patches] == [0, 394.89]
    assert [text.get_text() for text in left.texts] == ["94.6 %", "92.0 %"]
    assert [text.get_text() for text in right.texts] == ["?", "394,890"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["C4CNN", "ordinary CNN"]


def test_accuracy_against_angle_groups_by_angle(networks):
    """Is each digit counted in the group of its angle, 360 degrees being 0, and are empty groups left out?"""
    angles = torch.tensor([0.0, 29.9, 100.0, 181.0, 200.0, 360.0])
    figure = plots.accuracy_against_angle({"ordinary CNN": networks["ordinary CNN"]}, dataset(angles))
    x, y = line(figure, picture.VERMILION)
    assert list(x) == [15, 105, 195]
    assert y == pytest.approx([200 / 3, 100, 0])
    assert legend(figure) == ["ordinary CNN, 50.0 % in all"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: plots.images([1, 2]), r"images must be .*\(N, 1, H, W\).*got list"),
        (lambda: plots.images(torch.ones(2, 3, 4, 4)), r"got torch.float32 \(2, 3, 4, 4\)"),
        (lambda: plots.images(torch.ones(65, 4, 4)), r"up to 64; got torch.float32 \(65, 4, 4\)"),
        (lambda: plots.images(torch.ones(2, 4, 4).long()), "got torch.int64"),
        (lambda: plots.images(torch.ones(0, 4, 4)), r"got torch.float32 \(0, 4, 4\)"),
        (lambda: plots.images(torch.full((1, 4, 4), float("nan"))), "finite"),
        (lambda: plots.images(torch.ones(2, 4, 4), titles=["a"]), "each of the 2 pictures; got 1"),
        (lambda: plots.digits_turned(torch.ones(2, 5, 5)), r"\(1, H, H\).*got torch.float32 \(2, 5, 5\)"),
        (lambda: plots.digits_turned(torch.ones(1, 5, 6)), r"\(1, 5, 6\)"),
        (lambda: plots.digits_turned(torch.ones(1, 5, 5), step=0), r"10 to 360; got 0 \(int\)"),
        (lambda: plots.filters(torch.ones(4, 3, 4)), r"bank must be .*\(S, k, k\).*got torch.float32 \(4, 3, 4\)"),
        (lambda: plots.filters(torch.ones(1, 4, 1, 3, 3)), r"\(1, 4, 1, 3, 3\)"),
        (
            lambda: plots.feature_maps(torch.ones(4, 3, 3), torch.ones(3, 3, 3)),
            r"after must be .*\(4, H, W\).*\(3, 3, 3\)",
        ),
        (lambda: plots.feature_maps(torch.ones(1, 4, 3, 3), torch.ones(4, 3, 3)), "before must be"),
        (lambda: plots.history({"C4CNN": nn.Linear(1, 1)}), "C4CNN has no history.*train_model"),
        (lambda: plots.history(nn.Linear(1, 1)), "dictionary by name.*got Linear"),
        (lambda: plots.history({}), "got an empty one"),
        (lambda: plots.history({"C4CNN": Corner}), "C4CNN must be a network.*got type"),
        (
            lambda: plots.prediction_under_rotation({"n": Corner()}, torch.ones(1, 9, 9), 2),
            r"\(121, 3 or more\).*\(121, 2\)",
        ),
        (
            lambda: plots.prediction_under_rotation({"n": Corner()}, torch.ones(1, 9, 9), torch.tensor(1)),
            r"label must be.*int\(",
        ),
        (lambda: plots.prediction_under_rotation({"n": Corner()}, torch.ones(2, 1, 9, 9), 1), "image must be"),
        (lambda: plots.invariance_by_size([33, 34], [0.1]), "one error for each size.*got 1 for 2"),
        (lambda: plots.invariance_by_size([33], [float("nan")]), r"finite.*\[nan\]"),
        (lambda: plots.invariance_by_size([], []), "at least one"),
        (lambda: plots.accuracies({}, {}), r"two dictionaries.*got \{\}"),
        (lambda: plots.accuracies({"C4CNN": 101.0}, {}), "accuracy of C4CNN.*0 to 100.*got 101.0"),
        (lambda: plots.accuracies({"C4CNN": "95"}, {}), r"accuracy of C4CNN.*got '95' \(str\)"),
        (lambda: plots.accuracy_against_angle({"n": Corner()}, torch.ones(3)), "dataset must have the tensors"),
    ],
)
def test_wrong_input_is_named(call, says):
    """Does each mistake stop with what was given and what is taken?"""
    with pytest.raises(ValueError, match=says):
        call()


def test_a_dataset_without_angles_is_refused():
    """Is a data set that does not know its angles refused, with one that does?"""
    data = dataset(torch.zeros(3))
    data.angles = None
    with pytest.raises(ValueError, match=r'does not know the angles.*MnistRotDataset\("test"\)'):
        plots.accuracy_against_angle({"C4CNN": Corner()}, data)
