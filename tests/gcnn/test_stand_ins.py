"""Tests of gcnn.stand_ins: layers that solve nothing, and networks that are built on them in place of a student's."""

import functools

import pytest
import torch
from torch import nn

from gcnn import probes, stand_ins
from gcnn.equivariance import relative_error, rotate
from gcnn.stand_ins import LAYERS, on_stand_ins

OVER_GROUPS = ("LiftingConv2d", "GroupConv2d", "D4LiftingConv2d", "D4GroupConv2d")


def drawn(layer, seed=0):
    """A layer in double precision, every number drawn."""
    return probes.with_random_state(layer, torch.Generator().manual_seed(seed))[0].eval()


def maps(layer, batch=2, channels=3, size=7):
    """An input for a layer."""
    axes = {"GroupConv2d": (4,), "GroupBatchNorm2d": (4,), "D4GroupConv2d": (8,)}.get(type(layer).__name__, ())
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, *axes, size, size, generator=generator, dtype=torch.float64)


def made(name, **options):
    """A stand-in with three input channels."""
    if name == "GroupBatchNorm2d":
        return LAYERS[name](3)
    return LAYERS[name](3, 2, **({} if name == "IsotropicConv2d" else {"kernel_size": 3, "padding": 1}), **options)


@pytest.mark.parametrize("name", LAYERS)
def test_no_stand_in_is_a_solution(name):
    """Is none equivariant: does the largest answer over orientations not turn with the input?"""
    layer = drawn(made(name))
    x = maps(layer)
    if name == "GroupBatchNorm2d":
        y = layer(x)
        assert (y.mean((0, 2, 3, 4)).abs() > 0.05).any()
        assert relative_error(layer(x.roll(1, -3)), y.roll(1, -3)) > 0.1
    else:
        y, turned = (layer(x) if name == "IsotropicConv2d" else layer(x).amax(2) for x in (x, rotate(x, 1)))
        assert relative_error(turned, rotate(y, 1)) > 0.1


@pytest.mark.parametrize("name", OVER_GROUPS)
def test_orientations_differ(name):
    """Has each orientation an answer of its own, so that taking another one shows?"""
    y = drawn(made(name))(maps(made(name)))
    for s in range(1, y.shape[2]):
        assert relative_error(y[:, :, s], y[:, :, 0]) > 0.1


@pytest.mark.parametrize("name", LAYERS)
def test_every_number_matters(name):
    """Does each parameter and statistic, and each value of the input, change the output? Are dtype and bias kept?"""
    layer = drawn(made(name))
    x = maps(layer)
    gradients = probes.gradients(layer, x, torch.ones_like(layer(x)))
    assert all((gradient.abs() > 1e-9).all() for gradient in gradients.values())
    y = layer(x)
    for buffer in ("running_mean", "running_var") if name == "GroupBatchNorm2d" else ():
        other = probes.with_state(layer, {buffer: probes.state(layer)[buffer] + 1})
        assert ((other(x) - y).abs().amax((0, 2, 3, 4)) > 1e-3).all()
    assert y.dtype == torch.float64 and made(name)(x.float()).dtype == torch.float32
    if name != "GroupBatchNorm2d":
        assert "bias" not in probes.state(made(name, bias=False))
        made(name, bias=False)(x.float())


def test_numbers_are_the_same_in_every_process():
    """Are they fixed: neither the global generator's nor drawn anew?"""
    layer = drawn(made("GroupConv2d"))
    before, state = layer(maps(layer)), torch.get_rng_state()
    stand_ins._numbers.cache_clear()
    torch.manual_seed(99)
    assert torch.equal(layer(maps(layer)), before)
    torch.set_rng_state(state)


NOTEBOOK = """
import functools
import torch
from torch import nn

class LiftingConv2d(nn.Module):
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("not written")

GroupConv2d = LiftingConv2d

def conv(before, after):
    return GroupConv2d(before, after, 3, padding=1)

class Net(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.layers = nn.ModuleList([LiftingConv2d(1, 2, 3, padding=1), conv(2, 3)])
        self.head = nn.Linear(3, n_classes)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu() if isinstance(layer, (LiftingConv2d, GroupConv2d)) else None
        return self.head(x.amax((2, 3, 4)))
"""
OWN = NOTEBOOK.replace(
    'raise NotImplementedError("not written")', "super().__init__(); self.w = nn.Parameter(torch.ones(1))"
)


def ran(code):
    """The names of a notebook's cells."""
    names = {"__name__": "__main__"}
    exec(code, names)
    return names


def test_a_network_is_built_and_runs_on_stand_ins():
    """Do the names mean stand-ins in the class, in a helper function and while it runs, and is nothing left of them?"""
    names = ran(NOTEBOOK)
    before = dict(names)
    net, apart = on_stand_ins(names["Net"])
    assert apart and [type(layer).__name__ for layer in net.layers] == ["LiftingConv2d", "GroupConv2d"]
    assert all(type(layer).__module__ == "gcnn.stand_ins" for layer in net.layers)
    x = torch.randn(2, 1, 6, 6)
    assert probes.predict(net, x).shape == (2, 10) and type(net).__name__ == "Net"
    assert on_stand_ins(names["Net"], 3)[0](x).shape == (2, 3)
    twin, values = probes.with_random_state(net, torch.Generator().manual_seed(0))
    assert probes.layer_order(twin, x.double()) == ["layers.0", "layers.1", "head"]
    assert values["layers.1.weight"].shape == (3, 2, 4, 3, 3)
    assert names == before


def test_names_that_were_never_bound_are_unbound_again():
    """Can a network be built where no layer was ever defined, and are the names gone afterwards?"""
    names = ran(NOTEBOOK.replace("class LiftingConv2d", "class Other").replace("GroupConv2d = LiftingConv2d\n", ""))
    assert on_stand_ins(names["Net"])[1]
    assert not LAYERS.keys() & names.keys()


def test_a_network_that_raises_leaves_the_names_alone():
    """Does a network's own mistake come through, in its building and in its running, with all names as before?"""
    names = ran(NOTEBOOK.replace("conv(2, 3)]", "conv(2, 3, 4)]"))
    before = dict(names)
    with pytest.raises(TypeError, match="conv"):
        on_stand_ins(names["Net"])
    assert names == before
    names = ran(NOTEBOOK.replace("x.amax((2, 3, 4))", "x.amaxx((2, 3, 4))"))
    before, (net, _) = dict(names), on_stand_ins(names["Net"])
    with pytest.raises(AttributeError, match="amaxx"):
        net(torch.zeros(1, 1, 5, 5))
    assert names == before


@pytest.mark.parametrize(
    "change",
    [
        (
            "class Net(nn.Module)",
            "first = functools.partial(LiftingConv2d, 1)\n\nclass Net(nn.Module)",
            "LiftingConv2d(1, ",
            "first(",
        ),
        ("class Net(nn.Module)", "class Own(LiftingConv2d): pass\n\nclass Net(nn.Module)", "[LiftingConv2d(", "[Own("),
        ("conv(2, 3)]", "nn.Conv3d(2, 3, 3)]"),
        ("conv(2, 3)]", "nn.BatchNorm3d(2)]"),
        ("padding=1), conv", "padding=1, tilt=2), conv"),
        ("self.head = ", "self.scale = nn.Parameter(torch.ones(1))\n        self.head = "),
    ],
    ids=["a partial", "a subclass", "a convolution", "a norm", "another argument", "a parameter of its own"],
)
def test_what_cannot_be_exchanged_stays_on_its_own_layers(change):
    """Is a network that takes a layer otherwise than by name built from its own layers, all of them, and said to be?"""
    code = OWN
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in code
        code = code.replace(old, new)
    names = ran(code)
    net, apart = on_stand_ins(names["Net"])
    assert not apart and type(net) is names["Net"]
    assert not any(type(module).__module__ == "gcnn.stand_ins" for module in net.modules())


@pytest.mark.parametrize(
    "change",
    [
        ("nn.Linear(3, n_classes)", "nn.Conv2d(3, n_classes, 1)", "x.amax((2, 3, 4))", "x.amax(2).amax((2, 3), True)"),
        (
            "class Net(nn.Module)",
            "class Base(nn.Module)",
            "x.amax((2, 3, 4)))",
            "x.amax((2, 3, 4)))\n\nclass Net(Base): pass",
        ),
        ("    def __init__(self, n_classes", "    @torch.no_grad()\n    def __init__(self, n_classes"),
        (
            "class Net(nn.Module)",
            "class Base(nn.Module)",
            "x.amax((2, 3, 4)))",
            "x.amax((2, 3, 4)))\n\ndef Net(n_classes=10): return Base(n_classes)",
        ),
    ],
    ids=["a head of one pixel", "a base class", "a decorator", "a function"],
)
def test_however_it_is_written_a_network_is_built_on_stand_ins(change):
    """Are the names found that the code of a base class, of a decorated one and of a function looks up?"""
    code = NOTEBOOK
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in code
        code = code.replace(old, new)
    net, apart = on_stand_ins(ran(code)["Net"])
    assert apart and len(probes.predict(net, torch.zeros(2, 1, 6, 6))) == 2


def test_what_is_no_network_is_given_back():
    """Is what a function gives in place of a network handed on, for the next probe to refuse?"""
    assert on_stand_ins(lambda: 3) == (3, False)
    assert on_stand_ins(functools.partial(nn.Linear, 2, 3))[1]
