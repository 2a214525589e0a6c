"""Which images an epoch goes through: all, or those that still teach something and a choice of the others.

After Qin et al., "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning" (2024), with a fixed number
of images in each epoch. Near the end of a training nine in ten images have next to no loss.
"""

import torch


def selection(losses: torch.Tensor, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose an epoch's images.

    Images with a loss above the mean are hard. All of them are chosen, and some easy ones at random, which count the
    more for those that were left out. Where hard images alone would nearly fill the epoch, and where no loss is known
    yet, all have the same chance.

    Args:
        losses: each image's last one, ``(N,)``, infinite for images that have not been seen.
        count: how many images to choose, n.
        generator: of the random numbers, on the CPU.

    Returns:
        The chosen images in random order, ``(n,)``, and a weight for every image, ``(N,)``: the weighted mean over the
        chosen images is, on average over choices, the mean over all.
    """
    losses, total = losses.float().cpu(), len(losses)
    order = torch.randperm(total, generator=generator)
    known = losses.isfinite()
    hard = losses > losses[known].mean()  # nothing is above the mean of nothing
    places = count - int(hard.sum())
    if count == total or not bool(known.any()) or places < count / 10:
        return order[:count], torch.ones(total)
    weights = torch.full((total,), count / total)
    weights[~hard] *= (total - int(hard.sum())) / places
    hard_first = order[hard[order].int().argsort(descending=True, stable=True)]
    return hard_first[:count][torch.randperm(count, generator=generator)], weights
