"""Training and testing a network on rotated digits: how long (the budget), in which order (the seed), and the curves.

A split is used as whole tensors on the device; there is no loader and no work per image. On a CPU, `gcnn.fast` computes
some of the network's functions faster. The recipe is Adam with a linear warm-up, a cosine decay to zero and clipped
gradients: from a fan-in (He) initialisation it neither diverges nor sticks at 10 %, with or without normalisation.
Whether Muon trains the filters, and what else a training adds, the budget says.
"""

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from gcnn.budgets import BUDGETS, Budget
from gcnn.checkpoint import Checkpoint, identity, own_file
from gcnn.data import MnistRotDataset, deform, turn
from gcnn.environment import default_device, grading
from gcnn.fast import kernels, rounds
from gcnn.history import History
from gcnn.optimizers import Adam, Muon
from gcnn.progress import Progress
from gcnn.selection import selection

WEIGHT_DECAY = 1e-5  # the original's
LARGEST_GRADIENT = 1.0  # norm over all parameters; longer gradients are scaled down to it
LOOKS = 200  # validation digits after each part of an epoch, at least; fewer only where the part itself had fewer
LOOKING = 1 / 10  # as many validation digits as this share of a part's: looking costs a third of learning
EVERY = 20  # steps between two looks at the loss: each look waits for the device


@contextlib.contextmanager
def _modes_restored(model: nn.Module) -> Iterator[None]:
    """Put every part of a model back into its own training or evaluation mode afterwards."""
    before = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


def _checked_model(model: object, caller: str) -> nn.Module:
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise ValueError(f"{caller} takes a network, got the class {model.__name__}: write {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise ValueError(f"{caller} takes a network (torch.nn.Module), got {type(model).__name__}")
    return model


def _split(dataset: object, mode: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The images and labels of a data set, by default of the bundled digits."""
    dataset = MnistRotDataset(mode) if dataset is None else dataset
    images, labels = getattr(dataset, "images", None), getattr(dataset, "labels", None)
    if not isinstance(images, torch.Tensor) or not isinstance(labels, torch.Tensor):
        kind = type(dataset).__name__
        raise ValueError(f"a data set must have the tensors images and labels, as MnistRotDataset has; got {kind}")
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"a data set needs as many labels as images, at least 1; got {len(labels)} and {len(images)}")
    return images, labels


def _on(device: torch.device, model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A split on the device, its images in the model's dtype."""
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    return images.to(device, dtype, non_blocking=True), labels.to(device, torch.long, non_blocking=True)


def _accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> float:
    """Percent of images that a model gets right in evaluation mode."""
    with _modes_restored(model), torch.no_grad():
        model.eval()
        parts = zip(images.split(batch_size), labels.split(batch_size), strict=True)
        right = sum((model(x).argmax(dim=1) == t).sum() for x, t in parts)
    return 100 * int(right) / len(labels)


def _try_out(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse, before any time is spent, a model that cannot be trained on these images."""
    with _modes_restored(model), torch.no_grad():
        y = model.eval()(images[:2])
    classes = int(labels.max()) + 1
    if not isinstance(y, torch.Tensor) or y.dim() != 2 or len(y) != len(images[:2]) or y.shape[1] < classes:
        got = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        wanted = f"{(len(images[:2]), classes)}: one number per image and class"
        raise ValueError(f"for images of shape {tuple(images[:2].shape)} the network returned {got}, expected {wanted}")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the network has no parameters to train. Are its layers attributes of the network?")


def _faster(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str) -> str | None:
    """The precision in which `gcnn.fast` may train a network, or None if PyTorch has to do all by itself.

    What `gcnn.fast` puts in place of PyTorch's functions gives tensors that lie otherwise in memory; an answer may rest
    on how they lie.
    """
    for one in dict.fromkeys((precision, "float32")):
        try:
            tried = copy.deepcopy(model).train()
        except Exception:  # what it holds cannot be copied, a generator say: then it is not tried out
            return one
        try:
            with kernels(one):
                F.cross_entropy(tried(images), labels).backward()
        except Exception:  # what goes wrong without `gcnn.fast` as well, the first step will say
            continue
        return one
    return None


def _checked_arguments(budget: object, seed: object) -> tuple[Budget, int]:
    if budget is None:
        budget = "grading" if grading() else "standard"
    if not isinstance(budget, Budget):
        if budget not in BUDGETS:
            raise ValueError(f"budget must be {', '.join(map(repr, BUDGETS))}, a Budget or None; got {budget!r}")
        budget = BUDGETS[budget]
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**40:
        raise ValueError(f"seed must be a whole number from 0; got {seed!r}")
    return budget, seed


def train_model(
    model: nn.Module,
    budget: str | Budget | None = None,
    seed: int = 0,
    *,
    train_set: Dataset | None = None,
    valid_set: Dataset | None = None,
    checkpoint: str | Path | bool = False,
    progress: bool = True,
    device: str | torch.device | None = None,
    precision: str = "auto",
) -> nn.Module:
    """Train a network to name the digit, and leave the curves in ``model.history`` (a `History`).

    The same network, budget and seed give the same result on the same machine. The global random state is left as it
    was, so what is trained before does not change how the next network starts.

    Args:
        model: any network from ``(B, 1, 33, 33)`` to one number per class, ``(B, classes)``, without a softmax. It is
            trained in place and stays on the device; its training or evaluation mode is restored.
        budget: a name of `gcnn.budgets.BUDGETS`, or a `Budget`; by default "grading" when a grader runs the notebook,
            else "standard".
        seed: fixes the order of the images, and dropout. It does not touch the weights: they are the model's.
        train_set: what to train on, with tensors ``images`` and ``labels``; by default ``MnistRotDataset("train")``.
        valid_set: what to measure progress on, never trained on; by default ``MnistRotDataset("valid")``.
        checkpoint: a file in which the training is stored after each epoch. If it is there already, the training goes
            on from it; a finished one is loaded. True: a file of its own for every network, budget, seed, training set
            and start, in `gcnn.environment.checkpoint_dir`; a network whose code has changed gets another file. False:
            none. Where it cannot be stored, a sentence says so, and the training goes on without. Ignored in the budget
            "grading" and while a grader runs the notebook.
        progress: whether to show progress, on stdout; in a notebook also a curve that grows with every epoch.
        device: where to train; by default a GPU if there is one.
        precision: "auto" lets convolutions on a CPU that can do so multiply bfloat16 numbers, which is faster and as
            accurate a network in the end; "float32" does not.

    Returns:
        The same ``model``, trained.

    Raises:
        ValueError: an argument, the network's output or a checkpoint that does not fit; the message says what does.
        RuntimeError: the loss became infinite or NaN.
    """
    model = _checked_model(model, "train_model")
    budget, seed = _checked_arguments(budget, seed)
    if checkpoint and (budget.name == "grading" or grading()):
        if checkpoint is not True:
            print("The checkpoint is ignored: a grader's training always starts from the network as it is.")
        checkpoint = False
    device = default_device() if device is None else torch.device(device)
    train_images, train_labels = _split(train_set, "train")
    valid_images, valid_labels = _split(valid_set, "valid")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _modes_restored(model):
        model.to(device)
        train = _on(device, model, train_images, train_labels)
        valid = _on(device, model, valid_images, valid_labels)
        _try_out(model, *train)
        if device.type == "cpu":
            precision = _faster(model, *(part[:2] for part in train), precision)
        rounded = device.type == "cpu" and precision is not None and rounds(precision)
        model.history = History(budget, seed, str(device), "bfloat16" if rounded else "float32")
        file = None
        if checkpoint:
            run = identity(model, train_labels, model.history)
            file = Checkpoint(own_file(model, train[0], run) if checkpoint is True else Path(checkpoint), run)
        with kernels(precision) if precision else contextlib.nullcontext():
            _train(model, train, valid, file, progress)
    return model


def _optimizers(model: nn.Module, budget: Budget) -> list[Adam | Muon]:
    """Adam, and for the filters Muon if the budget has it."""
    weights = [p for p in model.parameters() if p.requires_grad]
    filters = [p for p in weights if p.dim() > 2] if budget.muon else []
    others = [p for p in weights if p.dim() <= 2] if filters else weights
    adam = Adam(others, budget.learning_rate, WEIGHT_DECAY)
    return [adam, Muon(filters, budget.muon)] if filters else [adam]


def _state(model: nn.Module, optimizers: list[Adam | Muon], history: History, last: torch.Tensor) -> dict[str, Any]:
    """All that a training needs to go on."""
    curves = {name: value for name, value in vars(history).items() if isinstance(value, list)}
    state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "history": curves}
    return state if history.budget.share == 1 else {**state, "losses": last}


def _train(
    model: nn.Module,
    train: tuple[torch.Tensor, ...],
    valid: tuple[torch.Tensor, ...],
    checkpoint: Checkpoint | None,
    progress: bool,
) -> None:
    """Run what is left of a training; ``model.history`` says which."""
    (images, labels), history = train, model.history
    budget, device = history.budget, images.device
    batch_size = min(budget.batch_size, len(labels))
    chosen_each = max(batch_size, int(budget.share * len(labels)))
    per_epoch = chosen_each // batch_size  # the few images that do not fill a batch wait for another epoch
    per_part, steps = math.ceil(per_epoch / budget.parts), max(1, round(budget.epochs * per_epoch))
    optimizers = _optimizers(model, budget)
    last = torch.full((len(labels),), math.inf, dtype=images.dtype, device=device)  # the last loss of each image
    stored = None if checkpoint is None else checkpoint.load()
    kept = stored is not None
    if stored is not None:
        model.load_state_dict(stored["model"])
        for optimizer, state in zip(optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        vars(history).update(stored["history"])
        last = stored.get("losses", last).to(device)
        done = f"epoch {history.epochs[-1]:.4g} of {budget.epochs:.4g}"
        whole = len(history.step_loss) == steps
        print(f"{'Loaded' if whole else 'Going on'} from {checkpoint.path}, {done}. Delete the file to start anew.")
    step = len(history.step_loss)
    before = history.seconds[-1] if history.seconds else 0.0
    shown = Progress(progress and step < steps, steps, step, model)
    start = time.perf_counter()
    model.train()
    try:
        while step < steps:
            epoch, first = divmod(step, per_epoch)
            seed = history.seed * 100_003 + epoch
            torch.manual_seed(seed + 50_021 * first)  # for dropout, the same after an interruption
            order, weight = selection(last, chosen_each, torch.Generator().manual_seed(seed))
            order, weight = order.to(device), weight.to(device)
            now = _turned(images[order], seed, budget.stretched).split(batch_size) if budget.turned else None
            todo = min(per_part, per_epoch - first, steps - step)
            losses, right = torch.zeros(todo, device=device), torch.zeros((), dtype=torch.long, device=device)
            for i, batch in enumerate(order.split(batch_size)[first : first + todo]):
                x, t = images[batch] if now is None else now[i], labels[batch]
                model.zero_grad(set_to_none=True)
                y = model(x)
                each = F.cross_entropy(y, t, reduction="none", label_smoothing=budget.smoothing)
                loss = (each * weight[batch]).mean()
                loss.backward()
                last[batch] = each.detach()
                nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
                for optimizer in optimizers:
                    optimizer.step(budget.course(step, steps))
                losses[i] = loss.detach()
                right += (y.detach().argmax(dim=1) == t).sum()
                step += 1
                if step % EVERY == 0 or i == todo - 1:
                    _stop_unless_finite(losses[: i + 1], step - i)
                    shown.update(step, losses[i].item())
            history.epochs.append(step / per_epoch)
            history.step_loss += losses.tolist()
            history.loss.append(losses.mean().item())
            history.train_accuracy.append(100 * right.item() / (todo * batch_size))
            trained = todo * batch_size
            looks = min(trained, max(LOOKS, int(LOOKING * trained)))
            few = (part[:looks] for part in valid)
            history.valid_accuracy.append(_accuracy(model, *few, batch_size=500))
            history.learning_rate.append(budget.rate(step - 1, steps))
            history.seconds.append(before + time.perf_counter() - start)
            shown.epoch(history)
            if checkpoint is not None:
                try:
                    checkpoint.save(_state(model, optimizers, history, last))
                    kept = True
                except OSError as error:
                    reason, again = error.strerror or error, "go on from an earlier epoch" if kept else "start anew"
                    print(
                        f"This training cannot be stored in {checkpoint.path} ({reason}). "
                        f"It goes on, and would {again} after a restart."
                    )
                    checkpoint = None
    finally:
        shown.close()


def _turned(images: torch.Tensor, seed: int, stretched: float) -> torch.Tensor:
    """Training images, each turned and stretched at random, on their device; they are the same on any."""
    generator = torch.Generator().manual_seed(seed)
    if stretched:
        return torch.cat([deform(part, stretched, generator) for part in images.split(1000)])
    angles = 360 * torch.rand(len(images), generator=generator)
    return torch.cat([turn(*part) for part in zip(images.split(1000), angles.split(1000), strict=True)])


def _stop_unless_finite(losses: torch.Tensor, first_step: int) -> None:
    """Stop a training whose loss is lost.

    Args:
        losses: of some steps, ``(n,)``.
        first_step: the number of the first of them, counted from 1.
    """
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        raise RuntimeError(
            f"the loss became {losses[bad[0]].item()} in step {first_step + int(bad[0])}, so the training stopped; the "
            "network is of no use now: make a new one. Check its forward pass for divisions by zero, logarithms and "
            "roots of negative numbers, the scale of its first weights, and the learning rate of the budget"
        )


def test_model(
    model: nn.Module,
    dataset: Dataset | None = None,
    *,
    batch_size: int = 500,
    device: str | torch.device | None = None,
) -> float:
    """The share of digits that a network names rightly, in percent.

    The network is in evaluation mode meanwhile, and back in its own mode afterwards.

    Args:
        model: any network from ``(B, 1, 33, 33)`` to one number per class, ``(B, classes)``.
        dataset: with tensors ``images`` and ``labels``; by default ``MnistRotDataset("test")``, the public test digits.
        batch_size: images per forward pass.
        device: where to compute; by default where the network is. The network stays there.

    Raises:
        ValueError: an argument that does not fit; the message says what does.
    """
    model = _checked_model(model, "test_model")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number above 0; got {batch_size!r}")
    images, labels = _split(dataset, "test")
    if device is None:
        tensor = next((t for t in [*model.parameters(), *model.buffers()]), None)
        device = default_device() if tensor is None else tensor.device
    device = torch.device(device)
    with kernels():
        return _accuracy(model.to(device), *_on(device, model, images, labels), batch_size=batch_size)


test_model.__test__ = False  # a test runner must not take it for a test
