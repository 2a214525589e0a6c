"""Tests of autograder.reference: the slow reference against the definitions, written here once more in other ways.

Where the reference looks pixels up through integer matrices, these tests use numpy, rot90, flip, roll and unfold.
"""

import functools
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from autograder import reference
from autograder.reference import C4, D4
from gcnn import stand_ins
from gcnn.probes import layer_order, state, with_random_state

GROUPS = pytest.mark.parametrize("group", [C4, D4], ids=repr)
ELEMENTS = [(group, g) for group in (C4, D4) for g in range(group.order)]
EVERY_ELEMENT = pytest.mark.parametrize(("group", "g"), ELEMENTS, ids=[f"{group}-{g}" for group, g in ELEMENTS])
MIRRORED = [4, 7, 6, 5, 0, 3, 2, 1]  # where F puts the elements of D4 (course.md)

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None)


def normal(seed, *shape):
    """Numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(got, expected):
    """Whether two tensors are equal up to rounding in double precision."""
    return got.dtype == expected.dtype and torch.allclose(got, expected, rtol=1e-10, atol=1e-10)


# The groups


def elements_as_complex_maps(group):
    """Each element as a map of the complex plane, z to a z or a conj(z): another picture of the same groups."""
    return [(1j ** (g % 4), g >= 4) for g in range(group.order)]


def after(a, b):
    """The map "first b, then a" of two such maps."""
    (factor, conjugates), (factor_b, conjugates_b) = a, b
    return factor * (factor_b.conjugate() if conjugates else factor_b), conjugates != conjugates_b


def is_associative(group):
    """The first axiom."""
    p = group.product
    return all(p(p(a, b), c) == p(a, p(b, c)) for a, b, c in itertools.product(range(group.order), repeat=3))


def has_identity(group):
    """The second axiom, with 0 as the identity."""
    return all(group.product(0, g) == g == group.product(g, 0) for g in range(group.order))


def has_inverses(group):
    """The third axiom."""
    return all(
        group.product(g, group.inverse(g)) == 0 == group.product(group.inverse(g), g) for g in range(group.order)
    )


@GROUPS
def test_the_axioms_hold(group):
    """Is each a group, and closed?"""
    assert {group.product(a, b) for a in range(group.order) for b in range(group.order)} == set(range(group.order))
    assert is_associative(group) and has_identity(group) and has_inverses(group)


@GROUPS
def test_products_are_those_of_matrices(group):
    """Do products and inverses agree with numpy's for the matrices that the conventions give?"""
    turn, mirror = np.array([[0, -1], [1, 0]]), np.diag([1, -1])
    matrices = [
        np.linalg.matrix_power(turn, g % 4) @ np.linalg.matrix_power(mirror, g // 4) for g in range(group.order)
    ]
    for a, b in itertools.product(range(group.order), repeat=2):
        assert (matrices[group.product(a, b)] == matrices[a] @ matrices[b]).all()
    for g in range(group.order):
        assert np.allclose(matrices[group.inverse(g)], np.linalg.inv(matrices[g]))


@GROUPS
def test_products_are_those_of_complex_maps(group):
    """Do products agree with turns and conjugations of the complex plane, which know nothing of matrices?"""
    maps = elements_as_complex_maps(group)
    for a, b in itertools.product(range(group.order), repeat=2):
        assert maps[group.product(a, b)] == after(maps[a], maps[b])


def test_the_pairs_are_the_conventions():
    """Do the functions on pairs follow F R = R^-1 F, and the ones on C4 count around a clock?"""
    for r, s in itertools.product(range(4), repeat=2):
        assert reference.c4_product(r, s) == (r + s) % 4
        assert reference.c4_inverse(r) == (4 - r) % 4
        for f1, f2 in itertools.product((0, 1), repeat=2):
            assert reference.d4_product((f1, r), (f2, s)) == ((f1 + f2) % 2, (r + (-1) ** f1 * s) % 4)
        assert reference.d4_inverse((0, r)) == (0, -r % 4)
        assert reference.d4_inverse((1, r)) == (1, r)
    assert all(type(part) is int for part in reference.d4_product((1, 3), (0, 2)))


@GROUPS
@pytest.mark.parametrize("outside", [-1, 8, 1.5, "0"])
def test_elements_outside_are_named(group, outside):
    """Is what is no element refused by name, wherever it is given?"""
    message = f"{outside} is not the number of an element of {group}"
    for call in (
        lambda: group.product(outside, 0),
        lambda: group.product(0, outside),
        lambda: group.inverse(outside),
        lambda: reference.act_on_image(torch.zeros(3, 3), outside, group),
        lambda: reference.act_on_features(torch.zeros(group.order, 3, 3), outside, group),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("wrong", "axiom"),
    [
        (lambda a, b: (a - b) % 4, is_associative),
        (lambda a, b: (a + b + 1) % 4, has_identity),
        (lambda a, b: a * b % 4, has_identity),
        (lambda a, b: max(a, b), has_inverses),
    ],
)
def test_the_axioms_find_what_is_no_group(wrong, axiom):
    """Do the functions above find fault with products that are no group's?"""

    class Wrong:
        order = 4
        product = staticmethod(wrong)

        def inverse(self, g):
            return next((h for h in range(4) if wrong(g, h) == 0), 0)

    assert not axiom(Wrong())


# The actions


def moved(x, g):
    """An image acted on with PyTorch's own functions: mirrored first, then turned."""
    return torch.rot90(x.flip(-1) if g >= 4 else x, g % 4, (-2, -1))


def moved_features(y, g):
    """A function on the group acted on with PyTorch's own functions."""
    if y.shape[-3] == 4:
        return moved(y, g).roll(g, -3)
    y = y[..., MIRRORED, :, :] if g >= 4 else y
    turns, mirrored = y.split(4, -3)
    return moved(torch.cat([turns.roll(g % 4, -3), mirrored.roll(g % 4, -3)], -3), g)


@EVERY_ELEMENT
@given(seed=seeds, size=st.integers(1, 7), leading=st.lists(st.integers(1, 3), max_size=3))
@quick
def test_actions_are_pytorchs(group, g, seed, size, leading):
    """Do the look-ups agree with rot90, flip and roll, for any axes before and both even and odd sizes?"""
    x, y = normal(seed, *leading, size, size), normal(seed, *leading, group.order, size, size)
    assert torch.equal(reference.act_on_image(x, g, group), moved(x, g))
    assert torch.equal(reference.act_on_features(y, g, group), moved_features(y, g))


def test_the_conventions_in_pictures():
    """Does a turn bring the top right to the top left, F swap left and right, and a turn pass orientations on?"""
    x = torch.zeros(3, 3)
    x[0, 2] = 1
    assert reference.act_on_image(x, 1)[0, 0] == 1
    x[1, 2] = 2
    assert reference.act_on_image(x, 4, D4)[0, 0] == 1 and reference.act_on_image(x, 4, D4)[1, 0] == 2
    y = torch.zeros(4, 3, 3)
    y[0, 0, 2] = 1
    assert reference.act_on_features(y, 1)[1, 0, 0] == 1
    constant = torch.arange(8.0)[:, None, None].expand(8, 3, 3)
    assert reference.act_on_features(constant, 4, D4)[:, 0, 0].tolist() == MIRRORED
    assert reference.act_on_features(constant, 1, D4)[:, 0, 0].tolist() == [3, 0, 1, 2, 7, 4, 5, 6]


@GROUPS
@given(seed=seeds, size=st.integers(1, 5))
@quick
def test_actions_are_homomorphisms(group, seed, size):
    """Is g.(h.x) = (gh).x, and does the identity change nothing, for images and functions on the group?"""
    for act, x in (
        (reference.act_on_image, normal(seed, 2, size, size)),
        (reference.act_on_features, normal(seed, 2, group.order, size, size)),
    ):
        assert torch.equal(act(x, 0, group), x)
        for g, h in itertools.product(range(group.order), repeat=2):
            assert torch.equal(act(act(x, h, group), g, group), act(x, group.product(g, h), group))


@GROUPS
@given(seed=seeds, size=st.integers(1, 5))
@quick
def test_actions_follow_the_definition(group, seed, size):
    """Is [g.y](p, h) = y(g^-1 p, g^-1 h), place by place, with the matrices applied to positions by numpy?"""
    y, middle = normal(seed, group.order, size, size), (size - 1) / 2
    for g in range(group.order):
        got, inverse = reference.act_on_features(y, g, group), np.linalg.inv(np.array(group.matrices[g]))
        for h, row, column in itertools.product(range(group.order), range(size), range(size)):
            source = np.rint(inverse @ (np.array([row, column]) - middle) + middle).astype(int)
            assert got[h, row, column] == y[group.product(group.inverse(g), h), source[0], source[1]]


@GROUPS
def test_only_squares_and_the_groups_axis_are_taken(group):
    """Are other shapes refused with the shape, and not read in some other way?"""
    for act, shape, message in (
        (reference.act_on_image, (2, 3, 4), r"only square images .* got \(2, 3, 4\)"),
        (reference.act_on_image, (3,), r"only square images .* got \(3,\)"),
        (reference.act_on_features, (group.order, 3, 4), r"only square images .*3, 4\)"),
        (reference.act_on_features, (5, 3, 3), rf"a function on {group} is .*{group.order}, .*; got \(5, 3, 3\)"),
        (reference.act_on_features, (3, 3), r"got \(3, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            act(torch.zeros(shape), 1, group)


@GROUPS
def test_dtype_device_and_gradient_are_kept(group):
    """Do the actions keep half, single and whole numbers, and pass gradients back to where values came from?"""
    for dtype in (torch.float32, torch.float16, torch.int64, torch.bool):
        y = torch.ones(group.order, 2, 2, dtype=dtype)
        assert reference.act_on_features(y, 1, group).dtype == dtype
    y = normal(0, group.order, 3, 3).requires_grad_(True)
    weights = normal(1, group.order, 3, 3)
    (reference.act_on_features(y, 1, group) * weights).sum().backward()
    assert torch.equal(y.grad, reference.act_on_features(weights, group.inverse(1), group))


# Filters and convolutions


@GROUPS
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_filters_are_the_weights_acted_on(group, k):
    """Is entry g of a bank g.weight, for even and odd kernels, and is entry 0 the weight itself?"""
    w, v = normal(k, 3, 2, k, k), normal(k, 3, 2, group.order, k, k)
    lifting, grouped = reference.lifting_filter(w, group), reference.group_filter(v, group)
    assert lifting.shape == (3, group.order, 2, k, k) and grouped.shape == (3, group.order, 2, group.order, k, k)
    assert torch.equal(lifting, torch.stack([moved(w, g) for g in range(group.order)], 1))
    assert torch.equal(grouped, torch.stack([moved_features(v, g) for g in range(group.order)], 1))
    assert torch.equal(lifting[:, 0], w) and torch.equal(grouped[:, 0], v)


def test_isotropic_filters_and_bias_banks():
    """Has a filter the first value in its centre and the second around it, and a bank the bias for each element?"""
    assert reference.isotropic_filter(torch.tensor([[[2.0, 1.0]]]))[0, 0].tolist() == [[1, 1, 1], [1, 2, 1], [1, 1, 1]]
    weight = normal(0, 3, 2, 2)
    expected = weight[..., 1, None, None].repeat(1, 1, 3, 3)
    expected[:, :, 1, 1] = weight[..., 0]
    assert torch.equal(reference.isotropic_filter(weight), expected)
    bias = normal(1, 3)
    assert torch.equal(reference.bias_bank(bias), bias[:, None].expand(3, 4))
    assert torch.equal(reference.bias_bank(bias, D4), bias[:, None].expand(3, 8))
    assert reference.bias_bank(None) is None


def correlate(x, bank, padding):
    """Cross-correlation by unfolding: (B, in, H, W) with (out, in, k, k) to (B, out, H', W')."""
    k = bank.shape[-1]
    patches = F.unfold(x, k, padding=padding)
    y = torch.einsum("oc,bcl->bol", bank.flatten(1), patches)
    return y.unflatten(2, (x.shape[2] + 2 * padding - k + 1, x.shape[3] + 2 * padding - k + 1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("k", "padding"), [(1, 0), (2, 1), (3, 0), (3, 1), (5, 2)])
@GROUPS
def test_convolutions_are_those_of_unfolded_pictures(group, k, padding, bias):
    """Do the layers agree with an evaluation by unfold and einsum, on pictures that need not be square?"""
    x, y = normal(0, 2, 2, 6, 7), normal(1, 2, 2, group.order, 6, 7)
    w, v, b = normal(2, 3, 2, k, k), normal(3, 3, 2, group.order, k, k), normal(4, 3) if bias else None
    shift = 0 if b is None else b[:, None, None]
    lifted = torch.stack([correlate(x, moved(w, g), padding) + shift for g in range(group.order)], 2)
    flat = y.flatten(1, 2)
    grouped = [correlate(flat, moved_features(v, g).flatten(1, 2), padding) + shift for g in range(group.order)]
    assert close(reference.lifting_conv(x, w, b, padding, group), lifted)
    assert close(reference.group_conv(y, v, b, padding, group), torch.stack(grouped, 2))


@pytest.mark.parametrize("bias", [True, False])
def test_the_isotropic_convolution_is_that_of_unfolded_pictures(bias):
    """Does the isotropic layer pad by one and add its bias?"""
    x, w, b = normal(0, 2, 3, 5, 6), normal(1, 4, 3, 2), normal(2, 4) if bias else None
    expected = correlate(x, reference.isotropic_filter(w), 1) + (0 if b is None else b[:, None, None])
    assert close(reference.isotropic_conv(x, w, b), expected)


@EVERY_ELEMENT
@given(seed=seeds, k=st.integers(1, 4), padding=st.integers(0, 2), size=st.integers(4, 6))
@quick
def test_layers_are_equivariant(group, g, seed, k, padding, size):
    """Do the layers commute with every element up to rounding, for even and odd kernels, with and without padding?"""
    x, y = normal(seed, 2, 2, size, size), normal(seed + 1, 2, 2, group.order, size, size)
    w, v, b = normal(seed + 2, 3, 2, k, k), normal(seed + 3, 3, 2, group.order, k, k), normal(seed + 4, 3)
    lift = functools.partial(reference.lifting_conv, weight=w, bias=b, padding=padding, group=group)
    convolve = functools.partial(reference.group_conv, weight=v, bias=b, padding=padding, group=group)
    assert close(lift(moved(x, g)), moved_features(lift(x), g))
    assert close(convolve(moved_features(y, g)), moved_features(convolve(y), g))


@given(seed=seeds, g=st.integers(0, 7), size=st.integers(1, 6))
@quick
def test_the_isotropic_layer_is_equivariant(seed, g, size):
    """Does the isotropic layer commute with turns and mirror images?"""
    x, w, b = normal(seed, 2, 2, size, size), normal(seed + 1, 3, 2, 2), normal(seed + 2, 3)
    assert close(reference.isotropic_conv(moved(x, g), w, b), moved(reference.isotropic_conv(x, w, b), g))


def wrong_lifting(x, w, b, turned):
    """A lifting convolution over C4 with another bank."""
    return torch.stack([F.conv2d(x, turned(w, s), b, padding=1) for s in range(4)], 2)


@pytest.mark.parametrize(
    "turned",
    [
        lambda w, s: w,
        lambda w, s: moved(w, -s % 4),
        lambda w, s: moved(w, min(s, 1)),
        lambda w, s: (w, w.mT, w.flip(-1, -2), w.flip(-1).mT)[s],
        lambda w, s: moved(w, (s + 1) % 4),
    ],
    ids=["not turned", "clockwise", "right for s = 1 only", "transposed", "one ahead"],
)
def test_the_lifting_layer_differs_from_wrong_ones(turned):
    """Is the reference none of what is typically got wrong?"""
    x, w, b = normal(0, 2, 2, 6, 6), normal(1, 3, 2, 3, 3), normal(2, 3)
    assert not close(wrong_lifting(x, w, b, turned), reference.lifting_conv(x, w, b, padding=1))
    assert close(wrong_lifting(x, w, b, moved), reference.lifting_conv(x, w, b, padding=1))


def wrong_group(y, v, acted):
    """A group convolution over C4 with another bank."""
    flat = y.flatten(1, 2)
    return torch.stack([F.conv2d(flat, acted(v, s).flatten(1, 2), padding=1) for s in range(4)], 2)


@pytest.mark.parametrize(
    "acted",
    [
        lambda v, s: v,
        lambda v, s: moved(v, s),
        lambda v, s: v.roll(s, -3),
        lambda v, s: moved(v, s).roll(-s, -3),
        lambda v, s: moved_features(v, -s % 4),
        lambda v, s: moved_features(v, min(s, 1)),
    ],
    ids=["not moved", "not rolled", "not turned", "rolled back", "inverse elements", "right for s = 1 only"],
)
def test_the_group_layer_differs_from_wrong_ones(acted):
    """Is the reference none of what is typically got wrong?"""
    y, v = normal(0, 2, 2, 4, 6, 6), normal(1, 3, 2, 4, 3, 3)
    assert not close(wrong_group(y, v, acted), reference.group_conv(y, v, padding=1))
    assert close(wrong_group(y, v, moved_features), reference.group_conv(y, v, padding=1))


def test_d4_differs_from_its_other_conventions():
    """Is the action on functions on p4m none of those that turn first, keep the halves' order, or do not swap them?"""
    y = normal(0, 2, 8, 5, 5)
    for g in (5, 7):  # (1, 1) and (1, 3): elements that do not commute
        turned_first = moved_features(moved_features(y, g % 4), 4)
        assert not torch.equal(turned_first, reference.act_on_features(y, g, D4))
        assert torch.equal(turned_first, reference.act_on_features(y, D4.product(4, g % 4), D4))
    for order in ([4, 5, 6, 7, 0, 1, 2, 3], [0, 3, 2, 1, 4, 7, 6, 5]):
        assert not torch.equal(y.flip(-1)[:, order], reference.act_on_features(y, 4, D4))


# Gradients


def test_gradients_are_autograds():
    """Does the gradient by argument agree with backward() and with finite differences, and leave its inputs alone?"""
    x, w, b = normal(0, 1, 2, 4, 4), normal(1, 2, 2, 3, 3), normal(2, 2)
    cotangent = normal(3, 1, 2, 4, 4, 4)
    got = reference.gradients(
        functools.partial(reference.lifting_conv, padding=1), {"x": x, "weight": w, "bias": b}, cotangent
    )
    assert list(got) == ["x", "weight", "bias"] and not any(t.requires_grad for t in (x, w, b))
    leaves = [t.clone().requires_grad_(True) for t in (x, w, b)]
    lifted = torch.stack([F.conv2d(leaves[0], moved(leaves[1], s), leaves[2], padding=1) for s in range(4)], 2)
    (lifted * cotangent).sum().backward()
    assert all(close(g, leaf.grad) for g, leaf in zip(got.values(), leaves, strict=True))
    for function, arguments in (
        (lambda *a: reference.lifting_conv(*a, padding=1), (x, w, b)),
        (
            lambda *a: reference.group_conv(*a, padding=1),
            (normal(4, 1, 1, 4, 3, 3), normal(5, 1, 1, 4, 3, 3), normal(6, 1)),
        ),
        (reference.isotropic_conv, (normal(7, 1, 2, 3, 3), normal(8, 2, 2, 2), normal(9, 2))),
    ):
        assert torch.autograd.gradcheck(function, tuple(a.clone().requires_grad_(True) for a in arguments))


def test_gradients_need_every_argument():
    """Is it an error if the function does not depend on what its gradient is asked for?"""
    with pytest.raises(RuntimeError, match="not have been used"):
        reference.gradients(lambda x, y: 2 * x, {"x": torch.ones(2), "y": torch.ones(2)}, torch.ones(2))


# Batch normalisation


@given(
    seed=seeds,
    momentum=st.floats(0.01, 1),
    eps=st.sampled_from([1e-5, 1e-3, 0.5]),
    batches=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    order=st.sampled_from([4, 8]),
)
@quick
def test_batch_norm_is_pytorchs(seed, momentum, eps, batches, order):
    """Does it agree with BatchNorm3d over several batches in training mode, and afterwards in evaluation mode?"""
    norm = nn.BatchNorm3d(3, eps=eps, momentum=momentum, dtype=torch.float64)
    values = {name: normal(seed + i, 3) for i, name in enumerate(("weight", "bias", "running_mean"))}
    values["running_var"] = normal(seed + 3, 3) ** 2 + 0.1
    norm.load_state_dict({**values, "num_batches_tracked": torch.tensor(0)})
    for i, batch in enumerate(batches):
        y = normal(seed + 4 + i, batch, 3, order, 2, 3) * 3 + 1
        got, values["running_mean"], values["running_var"] = reference.batch_norm(
            y, **values, eps=eps, momentum=momentum, training=True
        )
        assert close(got, norm(y).detach())
        assert close(values["running_mean"], norm.running_mean) and close(values["running_var"], norm.running_var)
    y = normal(seed, 2, 3, order, 2, 2)
    got, mean, var = reference.batch_norm(y, **values, eps=eps, momentum=momentum, training=False)
    assert close(got, norm.eval()(y).detach())
    assert torch.equal(mean, values["running_mean"]) and torch.equal(var, values["running_var"])


def test_batch_norm_without_scale_and_shift():
    """Is a missing weight or bias no scale and no shift, and are the given statistics left as they are?"""
    y, zeros, ones = normal(0, 2, 3, 4, 2, 2), torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    got, _, _ = reference.batch_norm(y, None, None, zeros, ones, training=True)
    assert close(got, nn.BatchNorm3d(3, affine=False, dtype=torch.float64)(y))
    assert zeros.eq(0).all() and ones.eq(1).all()
    assert torch.equal(reference.batch_norm(y, None, None, zeros, ones, eps=0, training=False)[0], y)


def test_batch_norm_passes_gradients_through_its_statistics():
    """Are the batch's mean and variance part of the gradient, as in PyTorch?"""
    y, cotangent, norm = normal(0, 2, 2, 4, 2, 2), normal(1, 2, 2, 4, 2, 2), nn.BatchNorm3d(2, dtype=torch.float64)
    running = (norm.running_mean.clone(), norm.running_var.clone())

    def function(y, weight, bias):
        return reference.batch_norm(y, weight, bias, *running, training=True)[0]

    arguments = {"y": y, "weight": normal(2, 2), "bias": normal(3, 2)}
    norm.load_state_dict({**state(norm), "weight": arguments["weight"], "bias": arguments["bias"]})
    leaf = y.clone().requires_grad_(True)
    (norm(leaf) * cotangent).sum().backward()
    got = reference.gradients(function, arguments, cotangent)
    assert close(got["y"], leaf.grad)
    assert close(got["weight"], norm.weight.grad) and close(got["bias"], norm.bias.grad)


@pytest.mark.parametrize("axes", [(2, 3, 4), (0, 3, 4), (0, 2), (0, 1, 2, 3, 4)], ids=str)
def test_batch_norm_differs_from_other_norms(axes):
    """Is the reference no norm per image, per orientation, per pixel or over everything?"""
    y = normal(0, 4, 3, 4, 5, 5) + normal(1, 1, 3, 4, 1, 1)
    zeros, ones = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    other = (y - y.mean(axes, keepdim=True)) / (y.var(axes, unbiased=False, keepdim=True) + 1e-5).sqrt()
    assert not torch.allclose(reference.batch_norm(y, None, None, zeros, ones, training=True)[0], other, rtol=1e-3)


# Networks


class Convolution(nn.Module):
    """Any of the course's convolutions, by PyTorch's own functions; the channels of its output can be pooled in 3-D."""

    def __init__(self, before, out, order, first):
        super().__init__()
        self.order, self.first = order, first
        kernel = (2,) if order == 0 else (3, 3) if first else (order, 3, 3)
        self.weight = nn.Parameter(torch.randn(out, before, *kernel) / before**0.5)
        self.bias = nn.Parameter(torch.randn(out))

    def forward(self, x):
        """Map `(B, before, H, W)`, or with a group axis, to `(B, out, order, H, W)`; order is 1 without a group."""
        if self.order == 0:
            ring = self.weight[..., 1:, None].expand(-1, -1, 3, 3).clone()
            ring[:, :, 1, 1] = self.weight[..., 0]
            return F.conv2d(x[:, :, 0] if x.dim() == 5 else x, ring, self.bias, padding=1)[:, :, None]
        act = moved if self.first else moved_features
        bank = torch.stack([act(self.weight, g) for g in range(self.order)], 1).flatten(0, 1)
        x, bank = (x, bank) if self.first else (x.flatten(1, 2), bank.flatten(1, 2))
        return F.conv2d(x, bank, self.bias.repeat_interleave(self.order), padding=1).unflatten(1, (-1, self.order))


class Network(nn.Module):
    """A network of the course from PyTorch's modules; its head is defined first, out of the order of execution."""

    def __init__(self, name, n_classes=10):
        super().__init__()
        self.order = {"c4cnn": 4, "c4cnn_bn": 4, "d4cnn": 8, "isotropic_cnn": 0}[name]
        self.head = nn.Linear(128, n_classes)
        channels = [1, 32, 64, 128, 256, 128] if self.order == 0 else [1, 8, 16, 32, 64, 128]
        sizes = list(itertools.pairwise(channels))
        self.convolutions = nn.ModuleList(Convolution(a, b, self.order, a == 1) for a, b in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm3d(b) if name == "c4cnn_bn" else nn.Identity() for _, b in sizes)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.last_pool = nn.MaxPool3d((max(1, self.order), 3, 3), stride=1)

    def forward(self, x):
        """Map `(B, 1, 33, 33)` to `(B, n_classes)`."""
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = torch.relu((self.last_pool if i == 4 else self.pool)(norm(convolution(x))))
        return self.head(x.flatten(1))


NAMES = ("c4cnn", "isotropic_cnn", "c4cnn_bn", "d4cnn")


@pytest.fixture(scope="module")
def built():
    """A function from a network's name to one of PyTorch's, in double precision, with used statistics."""

    @functools.cache
    def build(name, n_classes=10):
        torch.manual_seed(0)
        network = Network(name, n_classes).double()
        for norm in network.norms:
            if isinstance(norm, nn.BatchNorm3d):
                nn.init.normal_(norm.running_mean)
                nn.init.uniform_(norm.running_var, 0.5, 2)
                nn.init.normal_(norm.weight)
                nn.init.normal_(norm.bias)
        return network.eval()

    return build


def layers_of(network):
    """What the reference takes, as a test cell makes it."""
    return reference.in_execution_order(state(network), layer_order(network, torch.zeros(1, 1, 33, 33).double()))


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are several times faster on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_those_of_pytorchs_modules(built, name):
    """Does the reference compute what a network of PyTorch's layers, pools and norms does, for given weights?"""
    network, images = built(name), normal(1, 3, 1, 33, 33)
    with torch.no_grad():
        expected = network(images)
    got = reference.network(name, layers_of(network), images)
    assert close(got, expected)
    assert got.std(0).min() > 1e-3, "a constant answer would agree with nothing"


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_invariant(built, name):
    """Is the reference's answer the same for a turned image, and for a mirrored one where it should be?"""
    layers, x = layers_of(built(name)), normal(2, 1, 1, 33, 33)
    y = reference.network(name, layers, x)
    assert close(reference.network(name, layers, moved(x, 1)), y)
    assert close(reference.network(name, layers, moved(x, 5)), y) == (name in ("d4cnn", "isotropic_cnn"))


class Apart(nn.Module):
    """A network of the course on stand-ins, layer by layer."""

    def __init__(self, name):
        super().__init__()
        self.order = {"c4cnn": 4, "c4cnn_bn": 4, "d4cnn": 8, "isotropic_cnn": 1}[name]
        channels = [1, 32, 64, 128, 256, 128] if self.order == 1 else [1, 8, 16, 32, 64, 128]
        lift, group = {
            4: (stand_ins.LiftingConv2d, stand_ins.GroupConv2d),
            8: (stand_ins.D4LiftingConv2d, stand_ins.D4GroupConv2d),
            1: (stand_ins.IsotropicConv2d,) * 2,
        }[self.order]
        size = {} if self.order == 1 else {"kernel_size": 3, "padding": 1}
        blocks = []
        for a, b in itertools.pairwise(channels):
            norm = stand_ins.GroupBatchNorm2d(b) if name == "c4cnn_bn" else nn.Identity()
            blocks.append(nn.Sequential((lift if a == 1 else group)(a, b, **size), norm))
        self.blocks, self.head = nn.ModuleList(blocks), nn.Linear(128, 10)

    def forward(self, x):
        """Map `(B, 1, 33, 33)` to `(B, 10)`."""
        for block in self.blocks[:-1]:
            y = torch.relu(block(x))
            x = F.max_pool2d(y.flatten(0, -3), 3, 2, 1).unflatten(0, y.shape[:-2])
        return self.head(torch.relu(self.blocks[-1](x)).flatten(2).amax(2))


@pytest.mark.parametrize("name", NAMES)
def test_networks_on_stand_ins_are_those_of_their_modules(name):
    """Does the reference compute what a network of stand-ins does, and is that not what right layers give?"""
    network, x = Apart(name), normal(4, 3, 1, 33, 33)
    drawn, _ = with_random_state(network, torch.Generator().manual_seed(5))
    layers = layers_of(drawn)
    with torch.no_grad():
        expected = drawn.eval()(x)
    got = reference.network(name, layers, x, stand_ins=True)
    assert close(got, expected)
    assert got.std(0).min() > 1e-5, "a constant answer would agree with nothing"
    right = reference.network(name, layers, x)
    assert not torch.allclose(got, right, rtol=1e-2, atol=1e-2)


def test_stand_ins_draw_nothing_from_the_global_generator():
    """Does the reference leave the grader's random numbers alone?"""
    layers = layers_of(Apart("c4cnn_bn").double())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    reference.network("c4cnn_bn", layers, normal(0, 1, 1, 33, 33), stand_ins=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_may_have_another_number_of_classes(built):
    """Is the number of classes the head's?"""
    layers = layers_of(built("isotropic_cnn", 3))
    assert reference.network("isotropic_cnn", layers, normal(0, 2, 1, 33, 33)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("c4cnn", lambda x, i: torch.relu(x) if i else x),
        ("c4cnn", lambda x, i: torch.relu(x) if i < 4 else x),
        ("c4cnn", lambda x, i: F.leaky_relu(x)),
        ("isotropic_cnn", lambda x, i: torch.relu(x) if i else x),
    ],
    ids=[
        "no ReLU after the first",
        "no ReLU after the last",
        "another activation",
        "isotropic, no ReLU after the first",
    ],
)
def test_networks_differ_from_wrong_ones(built, name, wrong):
    """Does a missing ReLU show?"""
    network, x = built(name), normal(1, 3, 1, 33, 33)
    expected = reference.network(name, layers_of(network), x)
    with torch.no_grad():
        for i, convolution in enumerate(network.convolutions):
            x = wrong((network.last_pool if i == 4 else network.pool)(convolution(x)), i)
        assert not torch.allclose(network.head(x.flatten(1)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("last_pool", [(1, 3, 3), (2, 3, 3)])
def test_a_network_that_does_not_pool_the_whole_group_differs(built, last_pool):
    """Does it show if the last pool leaves orientations out?"""
    network, x = built("c4cnn"), normal(1, 3, 1, 33, 33)
    expected = reference.network("c4cnn", layers_of(network), x)
    with torch.no_grad():
        for i, convolution in enumerate(network.convolutions):
            x = torch.relu((nn.MaxPool3d(last_pool, stride=1) if i == 4 else network.pool)(convolution(x)))
        assert not torch.allclose(network.head(x[:, :, 0].flatten(1)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "count"), [("c4cnn", 393_290), ("isotropic_cnn", 153_514), ("c4cnn_bn", 393_786), ("d4cnn", 784_970)]
)
def test_the_numbers_of_parameters(name, count):
    """Are they the course's, and those of a network of PyTorch's modules?"""
    assert reference.parameter_count(name) == count
    assert sum(p.numel() for p in Network(name).parameters()) == count


def test_an_unknown_network_is_named():
    """Does a misspelt name stop with the names that there are?"""
    with pytest.raises(ValueError, match="no network 'c5cnn'; there are c4cnn, c4cnn_bn, d4cnn, isotropic_cnn"):
        reference.network_shapes("c5cnn")


def test_other_layers_are_named(built):
    """Does a network of other layers stop with the place of the first that differs, got and expected?"""
    layers, x = layers_of(built("c4cnn")), torch.zeros(1, 1, 33, 33, dtype=torch.float64)
    for wrong, message in (
        ([], "0 layers with parameters ran, expected 6"),
        (layers[1:], "5 layers with parameters ran, expected 6"),
        ([*layers[:2], layers[3], layers[2], *layers[4:]], r"layer 3 in the order of execution has .*64, 32, 4, 3, 3"),
        ([*layers[:1], {"weight": layers[1]["weight"]}, *layers[2:]], r"layer 2 .* has {'weight': .*expected .*'bias'"),
        ([{**layers[0], "scale": torch.ones(1)}, *layers[1:]], r"layer 1 .* has .*'scale'"),
        ([*layers[:5], {"weight": layers[5]["weight"]}], r"layer 6 in the order of execution"),
    ):
        with pytest.raises(AssertionError, match=message):
            reference.network("c4cnn", wrong, x)
    with pytest.raises(AssertionError, match="6 layers with parameters ran, expected 11"):
        reference.network("c4cnn_bn", layers, x)
    with pytest.raises(AssertionError, match="layer 2"):
        reference.network("d4cnn", layers, x)


@pytest.mark.parametrize("ones", [1, 2, 3])
def test_a_head_may_be_a_convolution_of_one_pixel(built, ones):
    """Is a linear layer written as a convolution the same network, and a larger convolution still another one?"""
    network, x = built("c4cnn"), normal(1, 2, 1, 33, 33)
    *layers, head = layers_of(network)
    as_convolution = {**head, "weight": head["weight"].reshape(10, 128, *[1] * ones)}
    expected = reference.network("c4cnn", [*layers, head], x)
    assert torch.equal(reference.network("c4cnn", [*layers, as_convolution], x), expected)
    larger = {**head, "weight": head["weight"].reshape(10, 32, 4, *[1] * (ones - 1))}
    with pytest.raises(AssertionError, match="layer 6 in the order of execution"):
        reference.network("c4cnn", [*layers, larger], x)


def test_layers_are_put_in_the_order_of_execution():
    """Are values grouped by layer as the layers run, with nested names, and those of unused layers left out?"""
    values = {
        name: torch.tensor(float(i)) for i, name in enumerate(("head.weight", "a.b.bias", "a.b.weight", "x.bias"))
    }
    got = reference.in_execution_order(values, ["a.b", "head"])
    assert got == [{"bias": values["a.b.bias"], "weight": values["a.b.weight"]}, {"weight": values["head.weight"]}]
    assert reference.in_execution_order({"weight": values["x.bias"]}, [""]) == [{"weight": values["x.bias"]}]
    assert reference.in_execution_order({"a.weight": values["x.bias"]}, ["a", "b"]) == [
        {"weight": values["x.bias"]},
        {},
    ]
