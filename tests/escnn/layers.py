"""What escnn computes, for `tests/autograder/test_escnn.py`; run by the Python of build/escnn (`make escnn`).

    python layers.py QUESTIONS.npz ANSWERS.npz

``questions["cases"]`` is a JSON list of layers, each with ``group`` ("C4" or "D4"), ``layer`` ("lifting" or "group"),
``kernel_size``, ``padding`` and ``bias``. For case i the questions hold ``i.filter``, a whole filter bank as escnn lays
it out, ``i.bias``, and ``i.input``; the answers hold what escnn's layer with its own random numbers has and gives for
the input (``i.own.filter``, ``i.own.bias``, ``i.own.output``, ``i.own.gradient`` of the sum of the output's squares for
the input), and the same for the layer of escnn's that is nearest to the question's bank (``i.nearest.…``). For each
group they hold its table of products, its regular representation, the questions' ``image`` and ``GROUP.features``
transformed by each element, the features after a batch normalisation (in training and then in evaluation mode, with
the running statistics), and after the pool over the group.

Nothing of the course is imported here: the two sides meet in the test.
"""

import json
import sys

import numpy as np
import torch

# escnn writes float32 into its bases. All of it is to be in double precision, so that an agreement means something.
torch.float32 = torch.float = torch.float64
torch.set_default_dtype(torch.float64)

from escnn import gspaces, nn  # noqa: E402

SPACES = {"C4": gspaces.rot2dOnR2(4), "D4": gspaces.flipRot2dOnR2(4)}


def types(group: str, layer: str, fields_in: int, fields_out: int) -> tuple[nn.FieldType, nn.FieldType]:
    """What goes in, images or functions on the group, and what comes out."""
    space = SPACES[group]
    before = space.trivial_repr if layer == "lifting" else space.regular_repr
    return nn.FieldType(space, fields_in * [before]), nn.FieldType(space, fields_out * [space.regular_repr])


def convolution(case: dict, fields_in: int, fields_out: int) -> nn.R2Conv:
    """A layer whose basis has a ring through every pixel and enough frequencies to tell the pixels of a ring apart."""
    k = case["kernel_size"]
    from_middle = torch.arange(k) - (k - 1) / 2
    radii = (from_middle[:, None] ** 2 + from_middle**2).sqrt().flatten().tolist()
    rings = sorted({min(round(r, 9), (k - 1) / 2**0.5) for r in radii})
    return nn.R2Conv(
        *types(case["group"], case["layer"], fields_in, fields_out),
        kernel_size=k,
        padding=case["padding"],
        bias=case["bias"],
        rings=rings,
        sigma=[0.4] * len(rings),
        frequencies_cutoff=lambda radius: 4 if radius > 0 else 0,
    )


def fit(layer: nn.R2Conv, bank: torch.Tensor, bias: torch.Tensor | None) -> None:
    """Give a layer the coefficients with which it comes nearest to a filter bank."""
    units = torch.eye(len(layer.weights))
    with torch.no_grad():
        basis = torch.stack([layer.basisexpansion(unit).flatten() for unit in units], 1)
        layer.weights.copy_(torch.linalg.lstsq(basis, bank.reshape(-1, 1), driver="gelsd").solution[:, 0])
        if bias is not None:
            layer.bias.copy_(torch.linalg.lstsq(layer.bias_expansion, bias.reshape(-1, 1)).solution[:, 0])


def answer(layer: nn.R2Conv, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """A layer's filters, what it gives for an input, and a gradient."""
    bank, bias = layer.expand_parameters()
    x = x.clone().requires_grad_(True)
    y = layer(layer.in_type(x)).tensor
    (gradient,) = torch.autograd.grad((y**2).sum(), x)
    found = {"filter": bank, "output": y, "gradient": gradient}
    return found if bias is None else {**found, "bias": bias}


def about(group: str, image: torch.Tensor, features: torch.Tensor) -> dict[str, torch.Tensor]:
    """What escnn says of a group, and of its actions, norm and pool."""
    space = SPACES[group]
    elements = list(space.fibergroup.elements)
    fields = features.shape[1] // len(elements)
    plane = nn.FieldType(space, image.shape[1] * [space.trivial_repr])
    regular = nn.FieldType(space, fields * [space.regular_repr])
    norm = nn.InnerBatchNorm(regular, eps=0.25, momentum=0.3)
    with torch.no_grad():
        inner = next(m for m in norm.modules() if isinstance(m, torch.nn.BatchNorm3d))
        inner.weight.copy_(torch.arange(1.0, fields + 1))
        inner.bias.copy_(torch.arange(fields) - 0.5)
        trained = norm(regular(features)).tensor
        evaluated = norm.eval()(regular(features)).tensor
    return {
        "products": torch.tensor([[elements.index(a @ b) for b in elements] for a in elements]),
        "inverses": torch.tensor([elements.index(~a) for a in elements]),
        "regular": torch.stack([torch.as_tensor(space.regular_repr(g)) for g in elements]),
        "images": torch.stack([plane(image).transform(g).tensor for g in elements]),
        "features": torch.stack([regular(features).transform(g).tensor for g in elements]),
        "pooled": nn.GroupPooling(regular)(regular(features)).tensor,
        "norm.training": trained,
        "norm.evaluation": evaluated,
        "norm.running_mean": inner.running_mean,
        "norm.running_var": inner.running_var,
    }


def main(questions_path: str, answers_path: str) -> None:
    """Answer a file of questions."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with np.load(questions_path, allow_pickle=False) as stored:
        questions = {name: stored[name] for name in stored.files}
    cases = json.loads(str(questions.pop("cases")))
    asked = {name: torch.from_numpy(value) for name, value in questions.items()}
    answers = {}
    for i, case in enumerate(cases):
        x, bank, bias = asked[f"{i}.input"], asked[f"{i}.filter"], asked.get(f"{i}.bias")
        order = SPACES[case["group"]].fibergroup.order()
        fields_in = x.shape[1] // (1 if case["layer"] == "lifting" else order)
        layer = convolution(case, fields_in, bank.shape[0] // order)
        if layer.bias is not None:
            torch.nn.init.normal_(layer.bias)
        answers |= {f"{i}.own.{name}": value for name, value in answer(layer, x).items()}
        fit(layer, bank, bias)
        answers |= {f"{i}.nearest.{name}": value for name, value in answer(layer, x).items()}
    for group in SPACES:
        found = about(group, asked["image"], asked[f"{group}.features"])
        answers |= {f"{group}.{name}": value for name, value in found.items()}
    np.savez(answers_path, **{name: value.detach().numpy() for name, value in answers.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
