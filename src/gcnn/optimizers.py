"""The optimizers of a training: Adam, and Muon for filters whose directions shall all count alike.

PyTorch's own class of optimizers imports its compiler with the first one that is made, which takes longer than a short
training; and its Muon is for matrices only, from version 2.9.
"""

from collections.abc import Iterable

import torch
from torch.optim.adam import adam

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8  # Adam's, as everywhere
_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that brings singular values near 1, from Muon's source
_MOMENTUM = 0.9  # Muon's


class _Optimizer:
    """Parameters, and what is kept of each of them from step to step."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, **state: list[torch.Tensor]):
        self.parameters, self.lr, self._state = list(parameters), lr, state

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """What is kept, by name: a tensor for each parameter."""
        return self._state

    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Go on from what `state_dict` gave."""
        for name, tensors in self._state.items():
            for own, stored in zip(tensors, state[name], strict=True):
                own.copy_(stored)

    def _with_gradients(self) -> tuple[list[torch.nn.Parameter], dict[str, list[torch.Tensor]]]:
        """The parameters that have gradients, and what is kept of them."""
        some = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        kept = {name: [tensors[i] for i in some] for name, tensors in self._state.items()}
        return [self.parameters[i] for i in some], kept


class Adam(_Optimizer):
    """Adam (Kingma and Ba, 2015), by PyTorch's own function.

    Args:
        parameters: any.
        lr: largest learning rate.
        weight_decay: by what parameters are multiplied and added to their gradients.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, weight_decay: float = 0.0):
        parameters = list(parameters)
        self._complex = any(p.is_complex() for p in parameters)
        self._fused = not self._complex and all(p.device.type in ("cpu", "cuda") for p in parameters)
        self.weight_decay = weight_decay
        super().__init__(
            parameters,
            lr,
            means=[torch.zeros_like(p) for p in parameters],
            squares=[torch.zeros_like(p) for p in parameters],
            steps=[torch.zeros((), dtype=torch.float32, device=p.device if self._fused else "cpu") for p in parameters],
        )

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Change each parameter that has a gradient, with this factor times the learning rate."""
        parameters, kept = self._with_gradients()
        adam(
            parameters,
            [p.grad for p in parameters],
            kept["means"],
            kept["squares"],
            [],
            kept["steps"],
            fused=self._fused,
            has_complex=self._complex,
            amsgrad=False,
            beta1=_BETA1,
            beta2=_BETA2,
            lr=factor * self.lr,
            weight_decay=self.weight_decay,
            eps=_EPS,
            maximize=False,
        )


class Muon(_Optimizer):
    """Steepest descent in the spectral norm, with momentum (Jordan et al., 2024, kellerjordan.github.io/posts/muon).

    Filters of any number of axes are matrices here: a row for each output channel.

    Args:
        filters: parameters with at least two axes, the output channels first.
        lr: largest learning rate; a step changes a filter bank's singular values by about as much.
    """

    def __init__(self, filters: Iterable[torch.nn.Parameter], lr: float):
        filters = list(filters)
        super().__init__(filters, lr, momentum=[torch.zeros_like(p) for p in filters])

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Change each parameter that has a gradient, with this factor times the learning rate."""
        filters, kept = self._with_gradients()
        for p, momentum in zip(filters, kept["momentum"], strict=True):
            momentum.mul_(_MOMENTUM).add_(p.grad)
            rows = (p.grad + _MOMENTUM * momentum).flatten(1)
            scale = max(1, rows.shape[0] / rows.shape[1]) ** 0.5
            p.add_(orthogonalised(rows).view_as(p), alpha=-factor * self.lr * scale)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Nearly the same directions as a matrix, ``(m, n)``, all with singular values between about 0.7 and 1.2.

    The iteration is done on the small product of the matrix with its transpose: every factor commutes with it.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.mH
    x = x / (x.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    square = x @ x.mH
    whole = identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(_STEPS):
        factor = a * identity + b * square + c * square @ square
        whole, square = factor @ whole, factor @ square @ factor
    x = whole @ x
    return x if wide else x.mH
