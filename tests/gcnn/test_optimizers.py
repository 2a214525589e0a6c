"""Tests of gcnn.optimizers: Adam is PyTorch's, Muon makes directions count alike, and no compiler is imported."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from gcnn.optimizers import Adam, Muon


def made(dtype):
    """Two parameters, always the same."""
    g = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(3, 4, generator=g, dtype=dtype)), nn.Parameter(torch.randn(2, generator=g))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_adam_is_pytorchs(dtype):
    """Do weights take the same way as with PyTorch's class, with decay, other rates, and steps without a gradient?"""
    own, its = made(dtype), made(dtype)
    adam, expected = Adam(own, lr=0.1, weight_decay=0.01), torch.optim.Adam(its, lr=0.1, weight_decay=0.01)
    g = torch.Generator().manual_seed(1)
    for i in range(6):
        for p, q in zip(own, its, strict=True):
            p.grad = torch.randn(p.shape, generator=g, dtype=p.dtype)
            q.grad = p.grad.clone()
        if i == 2:
            own[1].grad = its[1].grad = None
        expected.param_groups[0]["lr"] = 0.1 * 0.5**i
        adam.step(0.5**i)
        expected.step()
    for p, q in zip(own, its, strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("kind", [Adam, Muon])
def test_a_stored_state_goes_on(kind):
    """Does an optimizer that loads another's state take the other's next step, and not without it?"""
    (filters, _), g = made(torch.float32), torch.Generator().manual_seed(1)
    first = kind([filters], lr=0.1)
    filters.grad = torch.randn(3, 4, generator=g)
    first.step()
    ends = {}
    for way in ("loaded", "anew"):
        p = nn.Parameter(filters.detach().clone())
        then = kind([p], lr=0.1)
        if way != "anew":
            then.load_state_dict(copy.deepcopy(first.state_dict()))
        p.grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
        then.step()
        ends[way] = p
    filters.grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    first.step()
    assert torch.equal(ends["loaded"], filters)
    assert not torch.allclose(ends["anew"], filters, atol=1e-4)


def test_muon_makes_all_directions_count_alike():
    """Is the step of a filter bank nearly orthogonal, down the gradient, and that of any number of axes?"""
    torch.manual_seed(0)
    filters = nn.Parameter(torch.zeros(6, 4, 3, 3, dtype=torch.float64))
    direction = torch.randn(6, 36, dtype=torch.float64) * torch.logspace(0, -1, 6, dtype=torch.float64)[:, None]
    filters.grad = direction.view_as(filters).clone()
    Muon([filters], lr=0.1).step()
    step = -filters.detach().flatten(1) / 0.1
    sizes = torch.linalg.svdvals(step)
    assert sizes.min() > 0.5 and sizes.max() < 1.3
    assert (step * direction).sum() > 0.5 * step.norm() * direction.norm()


TRAINING = """
import sys

from torch import nn

from gcnn.speed import announce
from gcnn.training import train_model

print(announce())
train_model(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 31 * 31, 10)), "trial", progress=False)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


def test_no_training_waits_for_the_compiler():
    """Is PyTorch's compiler, a second and more of imports, left alone by a training and by the look at its time?"""
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
