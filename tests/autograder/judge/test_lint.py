"""Tests of autograder.judge.lint: it finds what a test cell may not do, and nothing in what it may."""

import pytest

from autograder.judge import problems

NAMES = frozenset({"Layer", "function", "trained"})

ALLOWED = [
    "layer = with_state(Layer(1, 2), {'weight': torch.ones(2)})\nbank, bias = layer.build_filter()\n"
    "checks.close(bank[0, 1], torch.ones(2), 'The bank', 'Why.')",
    "layer, values = with_random_state(Layer(2), g)\nvalues['weight'][0] = 1.0\nx = torch.randn(2, generator=g)\n"
    "y = layer(x)\nchecks.close(layer(x.flip(0)), y.flip(0), 'It')",
    "weight = torch.zeros(2)\nweight[0] = 1.0\nweight += 1\nweight.mul_(2)\nlayer = with_state(Layer(), {'w': weight})",
    "for name, net in {'fresh': Layer(), 'trained': trained}.items():\n    y = predict(net, x)\n    print(f'{name}')",
    "nets = {'a': Layer()}\nnets['b'] = in_dtype(trained, d)\nfor net in nets.values():\n    predict(net, x)",
    "net, apart = on_stand_ins(Layer)\ny = predict(net, x)\nreference.network('c4cnn', layers, x, stand_ins=apart)",
    "with raises(ValueError, mentions=4):\n    function(4)",
    "y = function(x).clone()\ny[0] = 1",
    "g = torch.Generator().manual_seed(3)\nx = torch.rand(2, generator=g)",
    "assert checks.accuracy(predict(retrained(trained, seed=1), x), t) > 1, 'too few'",
    "place = tuple(int(i) for i in function(y)[0].nonzero()[0])\nassert isinstance(place, tuple), 'x'",
    "layer = train_mode(Layer(3), True)\nlayer(y + 10)\nstate(layer)['running_mean']",
    "expected = reference.gradients(lambda **kw: reference.conv(**kw), {'x': x}, cotangent)",
    "function.shape\nfunction(1) == 2 or function(2)",
]


@pytest.mark.parametrize("source", ALLOWED)
def test_what_a_test_may_do(source):
    """Does the lint find nothing in cells that keep to the contract?"""
    assert problems(source, NAMES) == []


FORBIDDEN = {
    "isinstance(function(x), torch.Tensor)": "isinstance of something of the submission",
    "type(Layer())": "type of something",
    "net = trained\nhasattr(net, 'weight')": "hasattr",
    "getattr(trained, 'weight')": "getattr",
    "layer = Layer()\nlayer.weight.data[0] = 1": "writes into something of the submission",
    "layer = Layer()\nlayer.weight = x": "writes into",
    "y = function(x)\ny[0] = 1": "writes into",
    "y = function(x)\ny += 1": "writes into",
    "a, b = Layer().build_filter()\na.zero_()": "writes into",
    "for y in Layer().banks():\n    y.zero_()": "writes into",
    "torch.add(x, x, out=function(x))": "writes into",
    "test_set.images[0] = 1": "other cells see",
    "test_set.images.mul_(2)": "other cells see",
    "setattr(trained, 'weight', x)": "setattr has no place",
    "function(x).sum().backward()": "backward",
    "loss = (function(x) * 2).sum()\nloss.backward()": "backward",
    "function(x).grad": "grad is not there",
    "import copy\ncopy.deepcopy(trained)": "with_state gives a copy",
    "from copy import deepcopy\ndeepcopy(Layer())": "with_state gives a copy",
    "torch.manual_seed(0)": "sets a seed",
    "import random\nrandom.seed(0)": "sets a seed",
    "x = torch.randn(3)": "without a generator",
    "equivariance_error(trained, x, turn)": "gives a submission's object to equivariance_error",
    "layer = in_dtype(trained, d)\ntorch.compile(layer)": "gives a submission's object",
    "net, values = with_random_state(Layer(), g)\nprint(net)": "gives a submission's object to print",
    "net, apart = on_stand_ins(Layer)\nprint(net)": "gives a submission's object to print",
    "pair = on_stand_ins(Layer)\nchecks.shape(pair, (2,), 'It')": "gives a submission's object to shape",
    "trained.__class__": "__class__",
    "Layer = 3": "cannot be bound anew",
    "for trained in x:\n    pass": "cannot be bound anew",
    "from gcnn.probes import predict": "imports the probes",
    "import gcnn.probes": "imports the probes",
    "from gcnn import probes": "imports the probes",
    "try:\n    function(1)\nexcept:\n    pass": "would catch",
    "try:\n    function(1)\nexcept (ValueError, BaseException):\n    pass": "would catch",
    "assert function(1) == 2": "without a message",
    "assert (function(1) == 2, 'text')": "always holds",
    "function(1) == 2": "assert is missing",
    "exec('1')": "exec has no place",
    "get_ipython().user_ns": "get_ipython has no place",
    "%time function(1)": "not Python",
}


@pytest.mark.parametrize(("source", "expected"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_what_a_test_may_not_do(source, expected):
    """Does the lint name each breach of the contract, with its line?"""
    found = problems(source, NAMES)
    assert any(expected in text and text.startswith("line ") for text in found), found
