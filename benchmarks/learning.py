"""How accurate are the course's networks when they learn from fewer digits, or from upright ones only?

    python benchmarks/learning.py                # what is missing; then writes src/gcnn/learning.json
    python benchmarks/learning.py --seeds 1      # one run of each

Networks of about 393,000 parameters: the model solution's C4CNN, the ordinary CNN of the notebook, and D4CNN with
narrower layers. Each learns from 200 to 10,000 of the bundled training digits (`gcnn.learning` says how long), with
new weights and another choice of digits for each seed. C4CNN and the ordinary CNN also learn from all digits turned
upright; of these, and of the same networks trained on all digits as they are, the right answers are counted in groups
of 30 degrees. Every run is kept in ``build/learning.jsonl`` as soon as it is done, under a hash of what its accuracy
depends on (as in `trainings.py`): an interrupted benchmark goes on.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping

import networks
import results
import torch
import trainings
from rich.console import Console
from rich.progress import track

from autograder.kept import Kept
from gcnn.data import MnistRotDataset
from gcnn.learning import GROUPS, SIZES, budget, some, upright
from gcnn.plots.networks import answers
from gcnn.training import train_model

CACHE = results.ROOT / "build" / "learning.jsonl"
OUT = results.ROOT / "src" / "gcnn" / "learning.json"
WIDTHS = {"ordinary CNN": ("plain_cnn", 1), "C4CNN": ("c4cnn", 1), "D4CNN": ("d4cnn", 0.7)}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training."""

    network: str
    """By the name under which the notebook shows it."""
    standing: str
    """How its training digits stand: "turned" or "upright"."""
    digits: int
    """How many there are."""
    seed: int
    """Of weights, order, and choice of digits."""

    def __str__(self) -> str:
        """What it is, for people."""
        return f"{self.network}, {self.digits} {self.standing} digits, seed {self.seed}"

    @property
    def key(self) -> str:
        """Its name in the file of what was measured, with a hash of all that its accuracy depends on."""
        name, width = WIDTHS[self.network]
        return trainings.keyed(str(self), name, dataclasses.asdict(budget(self.digits)), width)

    def measured(self) -> dict[str, object]:
        """The accuracy in percent, the right answers and all digits in each group of angles, and when and on what."""
        torch.manual_seed(self.seed)
        model = networks.network("ours", *WIDTHS[self.network])
        whole = MnistRotDataset("train")
        chosen = upright(whole) if self.standing == "upright" else some(whole, self.digits, self.seed)
        train_model(model, budget(self.digits), self.seed, train_set=chosen, progress=False)
        test = MnistRotDataset("test")
        right = answers(self.network, model, test.images, 10).argmax(1) == test.labels
        group = (test.angles.double() % 360 // (360 / GROUPS)).long()
        counts = [torch.bincount(of, minlength=GROUPS).tolist() for of in (group[right], group)]
        origin = {"made": trainings.today(), "on": trainings.here()}
        return {"accuracy": 100 * right.double().mean().item(), "right": counts[0], "of": counts[1], **origin}


def runs(seeds: int) -> Iterator[Run]:
    """All trainings, those of a seed before the next."""
    for seed in range(seeds):
        yield from (Run(name, "turned", digits, seed) for digits in SIZES for name in WIDTHS)
        yield from (Run(name, "upright", SIZES[-1], seed) for name in ("ordinary CNN", "C4CNN"))


def summary(found: Mapping[Run, dict[str, object]]) -> dict[str, object]:
    """What `gcnn.learning.measurements` returns."""
    accuracy: dict[str, dict[str, list[float]]] = {name: {} for name in WIDTHS}
    counts: dict[tuple[str, str], list[torch.Tensor]] = {}
    for run, one in sorted(found.items(), key=lambda item: (item[0].digits, item[0].seed)):
        if run.standing == "turned":
            accuracy[run.network].setdefault(str(run.digits), []).append(round(one["accuracy"], 2))
        if run.digits == SIZES[-1] and run.network != "D4CNN":
            counts.setdefault((run.network, run.standing), []).append(torch.tensor([one["right"], one["of"]]))
    by_angle: dict[str, dict[str, list[float]]] = {name: {} for name, _ in counts}
    for (name, standing), tables in counts.items():
        right, of = torch.stack(tables).sum(0).double()
        by_angle[name][standing] = [round(share, 2) for share in (100 * right / of).tolist()]
    sizes = {name: sum(p.numel() for p in networks.network("ours", *WIDTHS[name]).parameters()) for name in WIDTHS}
    origin = {"made": max(one["made"] for one in found.values()), "on": sorted({one["on"] for one in found.values()})}
    return {**origin, "accuracy": accuracy, "by_angle": by_angle, "parameters": sizes}


def main() -> None:
    """Measure what is missing, and write the file that comes with the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each network on each number of digits")
    parser.add_argument("--most", type=int, help="of missing runs to do now")
    arguments = parser.parse_args()
    console, kept = Console(), Kept(CACHE)
    wanted = list(runs(arguments.seeds))
    missing = [run for run in wanted if run.key not in kept][: arguments.most]
    try:
        for run in track(missing, "training", console=console, disable=not console.is_terminal):
            kept[run.key] = found = run.measured()
            console.print(f"{run}: {found['accuracy']:.1f} %")
    except KeyboardInterrupt:
        sys.exit("interrupted: what was trained is kept, and the same command goes on from here")
    whole = {run: kept[run.key] for run in wanted if run.key in kept}
    OUT.write_text(json.dumps(summary(whole), indent=1) + "\n", encoding="utf-8")
    console.print(f"written: {OUT.relative_to(results.ROOT)}, from {len(whole)} runs")


if __name__ == "__main__":
    main()
