"""Tests of gcnn.probes: what each probe gives back, and that it leaves the submission's object as it was."""

import pytest
import torch
from torch import nn

from gcnn import probes


@pytest.fixture
def model():
    """A small network with a norm (buffers), dropout (a mode) and layers defined in another order than they run."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 3)
            self.norm = nn.BatchNorm2d(2)
            self.conv = nn.Conv2d(1, 2, 3)
            self.unused = nn.Linear(1, 1)
            self.drop = nn.Dropout(0.9)

        def forward(self, x):
            x = self.drop(self.norm(self.conv(x)))
            return self.head(nn.functional.adaptive_max_pool2d(x, (1, 2)).flatten(1))

    torch.manual_seed(0)
    return Net()


def test_predict_is_in_evaluation_mode_and_restores_the_mode(model):
    """Are dropout off, statistics untouched and every child's mode as before?"""
    model.train()
    model.norm.eval()
    x = torch.randn(5, 1, 6, 6)
    before = probes.state(model)
    first, second = probes.predict(model, x, batch_size=2), probes.predict(model, x)
    assert torch.allclose(first, second)
    assert first.shape == (5, 3)
    assert model.training and model.drop.training and not model.norm.training
    assert all(torch.equal(before[name], value) for name, value in probes.state(model).items())


def test_gradients_are_autograds(model):
    """Are the gradients those of (layer(x) * cotangent).sum(), and zeros where nothing depends?"""
    layer = model.conv
    x, cotangent = torch.randn(2, 1, 5, 5), torch.randn(2, 2, 3, 3)
    got = probes.gradients(layer, x, cotangent)
    assert set(got) == {"input", "weight", "bias"}
    assert torch.allclose(got["bias"], cotangent.sum((0, 2, 3)), atol=1e-5)
    assert got["input"].shape == x.shape

    class Deaf(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x * 2

    assert torch.equal(probes.gradients(Deaf(), torch.ones(2), torch.ones(2))["weight"], torch.zeros(3))


def test_with_state_changes_a_copy(model):
    """Does the copy have the new values, and the original its own? Are wrong names and shapes refused by name?"""
    twin = probes.with_state(model.head, {"bias": torch.tensor([1.0, 2.0, 3.0])})
    assert twin.bias.tolist() == [1, 2, 3]
    assert model.head.bias.tolist() != [1, 2, 3]
    with pytest.raises(ValueError, match="no parameter or buffer is called 'filter'"):
        probes.with_state(model.head, {"filter": torch.ones(1)})
    with pytest.raises(ValueError, match=r"bias has shape \(3,\), not \(2,\)"):
        probes.with_state(model.head, {"bias": torch.ones(2)})


def test_with_random_state_draws_every_number_anew(model):
    """Is each value drawn, in double precision, positive where a variance, and the same for the same generator?"""
    draws = [probes.with_random_state(model, torch.Generator().manual_seed(1)) for _ in range(2)]
    (copy, values), (_, again) = draws
    assert all(torch.equal(values[name], again[name]) for name in values)
    assert values["norm.running_var"].min() >= 0.5
    assert values["conv.weight"].dtype == torch.float64
    assert "norm.num_batches_tracked" not in values  # what is no weight, bias or average keeps its value
    assert all(torch.equal(probes.state(copy)[name], value) for name, value in values.items())
    assert values["conv.bias"].abs().min() > 0


def test_layer_order_is_the_order_of_execution(model):
    """Are layers named as they run, whatever order they were defined in, and unused ones left out?"""
    assert probes.layer_order(model, torch.randn(1, 1, 6, 6)) == ["conv", "norm", "head"]


def test_layer_order_sees_forward_called_and_leaves_no_trace(model):
    """Does layer.forward(x) count as layer(x), and is a module's own forward back afterwards?"""
    called = []
    inner = model.norm.forward
    model.norm.forward = special = lambda x: called.append(1) or inner(x)
    direct = nn.Sequential(model, nn.Linear(3, 2))
    direct.forward = lambda x: direct[1].forward(direct[0].forward(x))
    assert probes.layer_order(direct, torch.randn(1, 1, 6, 6)) == ["0.conv", "0.norm", "0.head", "1"]
    assert called and model.norm.forward is special
    assert "forward" not in vars(model.conv) and "forward" not in vars(direct[1])


def test_kept_results_are_copied_without_their_history():
    """Can a module be copied that keeps what it computed, wherever it keeps it, and is a tied buffer still refused?"""

    class Keeps(nn.Linear):
        def forward(self, x):
            self.last = super().forward(x)
            self.all = {"outputs": [self.last * 2], "me": (self.last,)}
            self.all["itself"] = self.all
            return self.last

    layer = Keeps(2, 3)
    y = layer(torch.ones(1, 2))
    twin = probes.with_state(layer, {"bias": torch.ones(3)})
    assert torch.equal(twin.last, y) and not twin.last.requires_grad and layer.last.requires_grad
    assert twin.all["me"][0] is twin.last and torch.equal(twin.all["outputs"][0], 2 * y)
    assert probes.in_dtype(layer, torch.float64)(torch.ones(1, 2).double()).dtype == torch.float64
    layer.register_buffer("average", y * 2)
    with pytest.raises(RuntimeError, match="deepcopy"):
        probes.in_dtype(layer, torch.float64)


def test_parameter_count_counts_what_is_trained(model):
    """Are frozen parameters and buffers left out?"""
    assert probes.parameter_count(nn.Linear(4, 3)) == 15
    frozen = nn.Linear(4, 3)
    frozen.bias.requires_grad_(False)
    assert probes.parameter_count(frozen) == 12
    assert probes.parameter_count(nn.BatchNorm2d(5)) == 10


def test_modes_and_dtypes(model):
    """Does train_mode set the mode, and in_dtype convert a copy?"""
    assert not probes.train_mode(model, False).training
    assert probes.in_dtype(model, torch.float64).conv.weight.dtype == torch.float64
    assert model.conv.weight.dtype == torch.float32


def test_a_copy_in_float64_is_where_that_can_be(monkeypatch):
    """Does the copy of a network on an Apple GPU, which has no float64, go to the CPU first?"""

    class OnApple(nn.Linear):
        moved = False

        def cpu(self):
            self.moved = True
            return self

        def to(self, dtype):
            assert self.moved or dtype != torch.float64, "Cannot convert a MPS Tensor to float64"
            return super().to(dtype)

    monkeypatch.setattr(probes, "_device", lambda module: torch.device("mps"))
    layer = OnApple(2, 2)
    assert probes.in_dtype(layer, torch.float64).weight.dtype == torch.float64 and not layer.moved
    assert not probes.in_dtype(layer, torch.float16).moved


def test_raises_judges_kind_and_message():
    """Is the right exception accepted, and are nothing, another kind or an empty message rejected?"""
    with probes.raises(ValueError, mentions=(0, 4)):
        raise ValueError("(0, 4) is not in D4")
    for wrong in (ValueError("no"), KeyError("(0, 4)")):
        with pytest.raises(AssertionError, match="ValueError"), probes.raises(ValueError, mentions=(0, 4)):
            raise wrong
    nothing = pytest.raises(AssertionError, match=r"nothing was raised\. There is no 4\.")
    with nothing, probes.raises(ValueError, otherwise="There is no 4."):
        pass
