"""Tests of autograder.reference against the definitions, evaluated in plain Python: no tensor takes part in a sum.

A group element is a function that moves a position (row, column) about the picture's centre; products are "one function
after the other", inverses are found by trying. Sums run over pixels, channels and elements one by one. For
other comparisons see test_reference.py, with PyTorch's own functions, and test_escnn.py, with another library.
"""

import functools
import itertools
import math
import statistics

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import reference
from autograder.reference import C4, D4

GROUPS = pytest.mark.parametrize("group", [C4, D4], ids=repr)
SAMPLE = ((1, 2), (-3, 5))  # positions that no two elements move alike
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=12, deadline=None)


def turn(p):
    """A quarter turn counter-clockwise, as displayed: what is right of the centre goes above it. Rows point down."""
    row, column = p
    return -column, row


def mirror(p):
    """Left and right change places."""
    row, column = p
    return row, -column


def composed(*functions):
    """The functions applied from right to left."""
    return functools.reduce(lambda f, g: lambda p: f(g(p)), functions, lambda p: p)


def elements(group):
    """The elements as functions, "mirror first, then turn", in the order of the group axis."""
    halves = (False, True) if group.order == 8 else (False,)
    return [composed(*[turn] * r, *[mirror] * f) for f in halves for r in range(4)]


def number(group, function):
    """Which element a function is."""
    moved = [function(p) for p in SAMPLE]
    return next(i for i, g in enumerate(elements(group)) if [g(p) for p in SAMPLE] == moved)


@functools.cache
def inverse(group, g):
    """Which element undoes g."""
    everything = elements(group)
    return next(i for i, h in enumerate(everything) if number(group, composed(everything[g], h)) == 0)


@functools.cache
def product(group, g, h):
    """Which element "first h, then g" is."""
    return number(group, composed(elements(group)[g], elements(group)[h]))


def came_from(group, g, size, row, column):
    """The pixel at g^-1 p, for the pixel p at (row, column) of a square picture; positions are doubled to be whole."""
    p = (2 * row - size + 1, 2 * column - size + 1)
    q = elements(group)[inverse(group, g)](p)
    return (q[0] + size - 1) // 2, (q[1] + size - 1) // 2


def normal(seed, *shape):
    """Numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(picture, row, column):
    """A picture's value, zero outside; the picture is a list of rows."""
    inside = 0 <= row < len(picture) and 0 <= column < len(picture[0])
    return picture[row][column] if inside else 0.0


def close(got, expected):
    """Whether a tensor holds the expected numbers to the accuracy of double precision, in the expected shape."""
    expected = torch.tensor(expected, dtype=torch.float64)
    error = (got - expected).abs().max() if got.shape == expected.shape else math.inf
    return got.dtype == torch.float64 and float(error) <= 1e-13 * max(1.0, float(expected.abs().max()))


@st.composite
def layers(draw):
    """The sizes of a layer and its input, and whether it has a bias: odd and even, padded or not, square or not."""
    k, padding = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    least = max(1, k - 2 * padding)
    size = draw(st.tuples(st.integers(least, least + 2), st.integers(least, least + 2)))
    return draw(seeds), draw(st.integers(1, 2)), draw(st.integers(1, 2)), k, padding, size, draw(st.booleans())


def lifted(x, weight, bias, padding, group):
    """y(p, g) = sum over c and q of weight_c(g^-1 q) x_c(p + q), plus the bias."""
    k, result = len(weight[0][0]), []
    for channel, filters in enumerate(weight):
        maps = []
        for g in range(group.order):
            rows = []
            for row in range(len(x[0]) + 2 * padding - k + 1):
                rows.append([])
                for column in range(len(x[0][0]) + 2 * padding - k + 1):
                    terms = [0.0 if bias is None else bias[channel]]
                    for c, i, j in itertools.product(range(len(x)), range(k), range(k)):
                        a, b = came_from(group, g, k, i, j)
                        terms.append(filters[c][a][b] * value(x[c], row + i - padding, column + j - padding))
                    rows[-1].append(math.fsum(terms))
            maps.append(rows)
        result.append(maps)
    return result


def convolved(y, weight, bias, padding, group):
    """z(p, g) = sum over c, q and h of weight_c(g^-1 q, g^-1 h) y_c(p + q, h), plus the bias."""
    k, result = len(weight[0][0][0]), []
    for channel, filters in enumerate(weight):
        maps = []
        for g in range(group.order):
            rows = []
            for row in range(len(y[0][0]) + 2 * padding - k + 1):
                rows.append([])
                for column in range(len(y[0][0][0]) + 2 * padding - k + 1):
                    terms = [0.0 if bias is None else bias[channel]]
                    for c, h, i, j in itertools.product(range(len(y)), range(group.order), range(k), range(k)):
                        a, b = came_from(group, g, k, i, j)
                        here = value(y[c][h], row + i - padding, column + j - padding)
                        terms.append(filters[c][product(group, inverse(group, g), h)][a][b] * here)
                    rows[-1].append(math.fsum(terms))
            maps.append(rows)
        result.append(maps)
    return result


@GROUPS
def test_products_and_inverses_are_those_of_functions(group):
    """Are the elements numbered as "mirror first, then turn", and do product and inverse mean what they say?"""
    everything = range(group.order)
    assert len({tuple(g(p) for p in SAMPLE) for g in elements(group)}) == group.order
    for g, h in itertools.product(everything, everything):
        assert group.product(g, h) == product(group, g, h)
    assert [group.inverse(g) for g in everything] == [inverse(group, g) for g in everything]


@given(word=st.text("RF", max_size=9), seed=seeds, size=st.integers(1, 5))
@few
def test_words_in_the_generators_act_as_they_are_spelt(word, seed, size):
    """Is a word, read from right to left, one element of D4, and does acting letter by letter come to the same?"""
    letters = {"R": (0, 1), "F": (1, 0)}
    f, r = functools.reduce(lambda g, letter: reference.d4_product(g, letters[letter]), word, (0, 0))
    x, y = normal(seed, 2, size, size), normal(seed, 8, size, size)
    for act, start in ((reference.act_on_image, x), (reference.act_on_features, y)):
        step_by_step = start
        for letter in reversed(word):
            step_by_step = act(step_by_step, {"R": 1, "F": 4}[letter], D4)
        assert torch.equal(act(start, 4 * f + r, D4), step_by_step)
    undone = functools.reduce(
        lambda g, c: reference.d4_product(g, reference.d4_inverse(letters[c])), word[::-1], (0, 0)
    )
    assert reference.d4_inverse((f, r)) == undone


@GROUPS
@given(seed=seeds, size=st.integers(1, 5))
@few
def test_actions_are_the_definitions(group, seed, size):
    """Is [g.x](p) = x(g^-1 p) and [g.y](p, h) = y(g^-1 p, g^-1 h), for odd and even sizes?"""
    x, y = normal(seed, size, size), normal(seed, group.order, size, size)
    for g in range(group.order):
        image, features = reference.act_on_image(x, g, group), reference.act_on_features(y, g, group)
        for row, column in itertools.product(range(size), repeat=2):
            source = came_from(group, g, size, row, column)
            assert image[row, column] == x[source]
            for h in range(group.order):
                assert features[h, row, column] == y[product(group, inverse(group, g), h)][source]


@GROUPS
@given(sizes=layers())
@few
def test_the_lifting_convolution_is_its_sum(group, sizes):
    """Is every value the sum over channels and pixels that the notebook writes down?"""
    seed, before, out, k, padding, size, has_bias = sizes
    x, weight = normal(seed, 1, before, *size), normal(seed + 1, out, before, k, k)
    bias = normal(seed + 2, out) if has_bias else None
    expected = lifted(x[0].tolist(), weight.tolist(), bias.tolist() if has_bias else None, padding, group)
    assert close(reference.lifting_conv(x, weight, bias, padding, group)[0], expected)


@GROUPS
@given(sizes=layers())
@few
def test_the_group_convolution_is_its_sum(group, sizes):
    """Is every value the sum over channels, pixels and elements that the notebook writes down?"""
    seed, before, out, k, padding, size, has_bias = sizes
    if group is D4:  # a sum of a thousand terms says no more than one of a hundred
        k, before, size = min(k, 3), 1, (min(size[0], 3), min(size[1], 3))
        padding = max(padding, (k - min(size) + 1) // 2)
    y, weight = normal(seed, 1, before, group.order, *size), normal(seed + 1, out, before, group.order, k, k)
    bias = normal(seed + 2, out) if has_bias else None
    expected = convolved(y[0].tolist(), weight.tolist(), bias.tolist() if has_bias else None, padding, group)
    assert close(reference.group_conv(y, weight, bias, padding, group)[0], expected)


def test_the_sums_tell_conventions_apart():
    """Do the sums above differ, if a filter is turned the other way, or rolled the other way?"""
    x, y = normal(0, 1, 1, 3, 3), normal(1, 1, 1, 4, 3, 3)
    weight, on_group = normal(2, 1, 1, 3, 3), normal(3, 1, 1, 4, 3, 3)
    expected = lifted(x[0].tolist(), weight.tolist(), None, 1, C4)
    backwards = reference.lifting_conv(x, weight, None, 1)[0][:, [0, 3, 2, 1]]
    assert not close(backwards, expected)
    expected = convolved(y[0].tolist(), on_group.tolist(), None, 1, C4)
    rolled_back = reference.group_conv(y, on_group[:, :, [0, 3, 2, 1]], None, 1)[0]
    assert not close(rolled_back, expected)


@given(seed=seeds, sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)), out=st.integers(1, 2), bias=st.booleans())
@few
def test_the_isotropic_convolution_is_its_sum(seed, sizes, out, bias):
    """Is every value w0 times the pixel, plus w1 times its eight neighbours, plus the bias?"""
    x, weight, b = normal(seed, 1, 2, *sizes), normal(seed + 1, out, 2, 2), normal(seed + 2, out)
    pictures, (height, width) = x[0].tolist(), sizes
    around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    expected = [
        [
            [
                math.fsum(
                    [float(b[o]) if bias else 0.0]
                    + [
                        float(weight[o, c, 0 if (i, j) == (0, 0) else 1]) * value(pictures[c], row + i, column + j)
                        for c in range(2)
                        for i, j in around
                    ]
                )
                for column in range(width)
            ]
            for row in range(height)
        ]
        for o in range(out)
    ]
    assert close(reference.isotropic_conv(x, weight, b if bias else None)[0], expected)


@GROUPS
@given(seed=seeds, k=st.sampled_from([1, 3, 5]), size=st.tuples(st.integers(1, 5), st.integers(1, 5)))
@few
def test_a_filter_of_one_point_multiplies_from_the_right(group, seed, k, size):
    """Does a filter that is one in its middle at h, and zero elsewhere, give z(p, g) = y(p, g h)?"""
    y = normal(seed, 2, 1, group.order, *size)
    for h in range(group.order):
        weight = torch.zeros(1, 1, group.order, k, k, dtype=torch.float64)
        weight[0, 0, h, k // 2, k // 2] = 1
        expected = y[:, :, [product(group, g, h) for g in range(group.order)]]
        assert torch.equal(reference.group_conv(y, weight, None, k // 2, group), expected)


@GROUPS
@given(seed=seeds, k=st.integers(1, 3), size=st.integers(3, 5), padding=st.integers(0, 2), by=st.data())
@few
def test_layers_commute_with_the_whole_group_of_motions(group, seed, k, size, padding, by):
    """Do both layers commute with an element followed by a translation, where nothing leaves the picture?"""
    g, down, right = by.draw(st.integers(0, group.order - 1)), *by.draw(st.tuples(*[st.integers(-2, 2)] * 2))
    w, v, b = normal(seed + 1, 2, 2, k, k), normal(seed + 2, 2, 1, group.order, k, k), normal(seed + 3, 2)
    margin = [k + 2] * 4
    x = F.pad(normal(seed, 1, 2, size, size), margin)
    y = F.pad(normal(seed, 1, 1, group.order, size, size), margin)

    def moved(t):
        act = reference.act_on_image if t.dim() == 4 else reference.act_on_features
        return act(t, g, group).roll((down, right), (-2, -1))

    for layer, weight, before in ((reference.lifting_conv, w, x), (reference.group_conv, v, y)):
        after, got = (layer(t, weight, b, padding, group) for t in (before, moved(before)))
        assert torch.allclose(got, moved(after), rtol=0, atol=1e-13 * float(after.abs().max()))


@GROUPS
@given(seed=seeds, k=st.integers(1, 3), size=st.integers(3, 4), padding=st.integers(0, 1))
@few
def test_gradients_are_adjoints(group, seed, k, size, padding):
    """The layers are linear in input and in weight: is the inner product of each with its gradient the output's?"""
    for layer, x, weight in (
        (reference.lifting_conv, normal(seed, 2, 2, size, size), normal(seed + 1, 3, 2, k, k)),
        (
            reference.group_conv,
            normal(seed + 2, 2, 1, group.order, size, size),
            normal(seed + 3, 2, 1, group.order, k, k),
        ),
    ):
        name = "x" if layer is reference.lifting_conv else "y"

        def run(layer=layer, **arguments):
            return layer(**arguments, padding=padding, group=group)

        output = run(**{name: x, "weight": weight})
        cotangent = normal(seed + 4, *output.shape)
        got = reference.gradients(run, {name: x, "weight": weight}, cotangent)
        expected = (output * cotangent).sum()
        scale = float((output * cotangent).abs().sum())
        for tensor, gradient in ((x, got[name]), (weight, got["weight"])):
            assert abs(float((tensor * gradient).sum() - expected)) <= 1e-13 * scale


@given(
    seed=seeds,
    shape=st.tuples(
        st.integers(1, 3), st.integers(1, 3), st.sampled_from([4, 8]), st.integers(1, 3), st.integers(1, 3)
    ),
    momentum=st.floats(0, 1),
    eps=st.sampled_from([1e-5, 1e-3, 0.5]),
)
@few
def test_batch_norm_has_the_statistics_of_plain_lists(seed, shape, momentum, eps):
    """Are mean and variance those of the standard library, n in the output and n - 1 in the running average?"""
    channels = shape[1]
    y = normal(seed, *shape) * 3 + 2
    weight, bias, old_mean, old_var = (normal(seed + i, channels).tolist() for i in range(1, 5))
    old_var = [v * v + 0.1 for v in old_var]
    given_values = [torch.tensor(values, dtype=torch.float64) for values in (weight, bias, old_mean, old_var)]
    norm = functools.partial(reference.batch_norm, y, *given_values, eps=eps, momentum=momentum)
    trained, new_mean, new_var = norm(training=True)
    evaluated, same_mean, same_var = norm(training=False)
    assert torch.equal(same_mean, given_values[2]) and torch.equal(same_var, given_values[3])
    for c in range(channels):
        values = y[:, c].flatten().tolist()
        mean = statistics.fmean(values)
        for output, centre, spread in (
            (trained, mean, statistics.pvariance(values, mean)),
            (evaluated, old_mean[c], old_var[c]),
        ):
            expected = [(v - centre) / math.sqrt(spread + eps) * weight[c] + bias[c] for v in values]
            assert torch.allclose(
                output[:, c].flatten(), torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-11
            )
        assert math.isclose(new_mean[c], (1 - momentum) * old_mean[c] + momentum * mean, rel_tol=1e-12, abs_tol=1e-12)
        var = (1 - momentum) * old_var[c] + momentum * statistics.variance(values, mean)
        assert math.isclose(new_var[c], var, rel_tol=1e-12)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are several times faster on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
