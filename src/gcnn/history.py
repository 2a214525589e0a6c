"""What is kept of a training: its curves."""

import dataclasses

from gcnn.budgets import Budget


@dataclasses.dataclass
class History:
    """The curves of one training: one entry per epoch (the last may be a part of one), and the loss of every step."""

    budget: Budget
    """What the training could spend."""
    seed: int
    """What fixed the order of the images."""
    device: str
    """What it ran on."""
    precision: str = "float32"
    """What convolutions multiplied: "float32", or "bfloat16" where a CPU's did so faster (see `gcnn.fast`)."""
    epochs: list[float] = dataclasses.field(default_factory=list)
    """Epochs gone through so far, at each entry."""
    loss: list[float] = dataclasses.field(default_factory=list)
    """Mean cross-entropy on the training batches since the entry before."""
    train_accuracy: list[float] = dataclasses.field(default_factory=list)
    """Percent of these training images that were right when their turn came."""
    valid_accuracy: list[float] = dataclasses.field(default_factory=list)
    """Percent of the validation images that are right now; of as many as were trained on, where these are fewer."""
    learning_rate: list[float] = dataclasses.field(default_factory=list)
    """The learning rate of the entry's last step."""
    seconds: list[float] = dataclasses.field(default_factory=list)
    """Seconds since the start, validation included; the time before an interruption counts, the pause does not."""
    step_loss: list[float] = dataclasses.field(default_factory=list)
    """Cross-entropy of every training batch, in order."""
