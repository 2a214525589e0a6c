"""Muon: steps for filters whose directions all count alike (Jordan et al., 2024, kellerjordan.github.io/posts/muon).

PyTorch has it for matrices only, from version 2.9. Filters of any number of axes are matrices here: a row for each
output channel.
"""

import torch

_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that brings singular values near 1, from the source
_MOMENTUM = 0.9


class Muon(torch.optim.Optimizer):
    """Steepest descent in the spectral norm, with momentum.

    Args:
        filters: parameters with at least two axes, the output channels first.
        lr: learning rate; a step changes a filter bank's singular values by about as much.
    """

    def __init__(self, filters: list[torch.nn.Parameter], lr: float):
        super().__init__(filters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.mul_(_MOMENTUM).add_(p.grad)
                rows = (p.grad + _MOMENTUM * momentum).flatten(1)
                scale = max(1, rows.shape[0] / rows.shape[1]) ** 0.5
                p.add_(orthogonalised(rows).view_as(p), alpha=-group["lr"] * scale)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Nearly the same directions as a matrix, ``(m, n)``, all with singular values between about 0.7 and 1.2.

    The iteration is done on the small product of the matrix with its transpose: every factor commutes with it.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    square = x @ x.T
    whole = identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(_STEPS):
        factor = a * identity + b * square + c * square @ square
        whole, square = factor @ whole, factor @ square @ factor
    x = whole @ x
    return x if wide else x.T
