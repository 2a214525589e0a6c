"""What tests of the faster convolutions share: numbers, and a convolution with its gradients in either way."""

import torch
import torch.nn.functional as F

from gcnn.fast import kernels

ROUNDING = 2e-5  # relative to the largest value, in float32
BFLOAT16 = 2e-2  # relative to the largest value: bfloat16 has 8 bits, and factors are rounded before they are summed


def numbers(*size, seed=0):
    """Random numbers in float32."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def results(bank, psi, x, bias, padding, fast, precision="float32"):
    """A convolution with ``bank(psi)``, and the gradients of its squares' sum for filters, image and bias."""
    inputs = [t.clone().requires_grad_() for t in (psi, x, bias) if t is not None]
    weight, more = bank(inputs[0]), inputs[2:]
    if fast:
        with kernels(precision):
            y = F.conv2d(inputs[1], weight, *more, padding=padding)
    else:
        y = F.conv2d(inputs[1], weight, *more, padding=padding)
    (y**2).sum().backward()
    return [y.detach(), *(t.grad for t in inputs)]


def ways(module, monkeypatch):
    """A list that grows by how a bank repeats itself with each convolution that this module computes."""
    found, apply = [], module.Convolution.apply
    monkeypatch.setattr(module.Convolution, "apply", lambda *a: found.append(a[-1]) or apply(*a))
    return found
