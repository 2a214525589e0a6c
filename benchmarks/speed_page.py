"""Turn results of training.py, profiled.py, ways.py, record.py and calibrate.py into docs/speed.md and its picture.

Nothing is measured here: ``make figures``.
"""

import itertools
import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from results import FOLDER, ROOT

from gcnn.budgets import BUDGETS

PICTURE = "accuracy_against_seconds.png"
NETWORKS = {
    "c4cnn": "C4CNN",
    "c4cnn_bn": "C4CNN with normalisation",
    "isotropic_cnn": "IsotropicCNN",
    "d4cnn": "D4CNN",
    "plain_cnn": "ordinary CNN",
}
COLUMNS = ("grading", "standard", "full", "record")
PEERS = {"original": "original", "pairs": "pairs", "ours": "ours", "escnn": "escnn", "escnn_export": "escnn, exported"}
TARGETS = {"93": "93.24 %", "95": "95 %"}
# Okabe and Ito's colours, which colour-blind readers can tell apart; peers differ by their marker too.
COLOURS = {"c4cnn": "#0072B2", "c4cnn_bn": "#D55E00", "d4cnn": "#009E73", "plain_cnn": "#CC79A7"}
MARKERS = {"ours": "o", "pairs": "s", "escnn": "^", "original": "*"}
LOWEST = 85  # percent: what is below is not shown in the picture
# What the project set out to reach: the row, what it says, and the least value.
AIMS = {
    "c4cnn.speedup_to_93": ("C4CNN to 93.24 %: the original's seconds ÷ ours", 15),
    "c4cnn_bn.speedup_to_93": ("with normalisation to 93.24 %: the original's seconds ÷ ours", 30),
    "c4cnn.step_ratio_to_escnn.float32": ("a step of C4CNN in float32: escnn's time ÷ ours", 1),
    "c4cnn.step_ratio_to_escnn.best": ("a step of C4CNN, each in its best format: escnn's time ÷ ours", 1.5),
    "c4cnn.step_ratio_to_pairs": ("a step of C4CNN, each in its best format: that of pairs ÷ ours", 2.5),
}
# By file and row: what is shown of the whole notebook and of grading, and the most seconds that it may take.
WHOLE = {
    ("solved", "solved.seconds"): ("the whole solved notebook, from top to bottom, in the budget `standard`", 480),
    ("grading", "full.seconds"): ("grading a full submission with bonus, judged and sandboxed", 75),
    ("grading", "early_fail.seconds"): ("grading one whose networks fail their architecture tests", 15),
}
HEAD = """# Speed

How fast the course's networks train and answer, beside others. Made by `make figures` from
`benchmarks/results/training.json`, which `make speed` measures (`benchmarks/training.py` says how, in full).

- **original**: the original assignment's recipe. Every digit goes through a PIL image, batches of 64 in the order of
  the file, Adam at 5e-5; each layer is one convolution with the expanded filter bank.
- **pairs**: layers as students often write them, one small convolution for each pair of group elements; digits in
  memory.
- **ours**: `train_model` and `test_model` of `gcnn.training`, as the notebook calls them.
- **escnn**: the field's library, the same channels and pools, its own filters; **exported**: its `export()`, for
  evaluation.

All compute the network that the course describes, also the original, which by itself leaves out the first ReLU and
has an instance normalisation in place of the batch normalisation. All took turns on one machine. An epoch is 10,000
images here (the original's file has 12,000, so that its epochs take a fifth longer still), and its seconds are
extrapolated from measured steps, loading included.
"""
REACHED = """\
Ours is trained in ever larger budgets from the same seeds. The first budget whose median on the public test digits of
the bundled set reaches the target counts, with the time of the whole call of `train_model`. The others are **counted**,
not run: pairs computes the same function as ours and escnn one of the same shape, so each is given as many epochs as
ours needed. Only the budget `record` reaches 98 %: see below. The original is given its 30 epochs, by its measured
seconds an epoch: by its own account it is at 93.24 % (C4CNN) and at about 95 % (with normalisation) after them, on the
50,000 official test digits; it does not say when a network passed a lower mark. A dash: not reached in the budgets that
were tried, or no such figure.
"""
NO_GPU = """
No GPU has been measured. `make speed` on a machine that has one measures it: there the digits stay on the device, and
convolutions are PyTorch's own, in TF32 where the GPU has it, without CUDA graphs or compiled steps.
"""
OLDER = """
Measured when the budget `standard` was another recipe than it is now: {epochs:g} epochs here, {now:g} now. What is said
of *ours* is of that recipe.
"""
PROFILE = """\
Where a step of ours in the budget `standard` goes, on one thread, in {dtype}, forward and backward
(`{command}`, {made}: {cpu}).

{table}

What stands in the way of more: escnn makes its filters from weights by one product with a fixed basis. Ours are made as
a student writes them, turn by turn, in every step, because they are there to be checked; their turns have a backward
pass as well. Convolutions that have fewer multiplications in the group's Fourier basis are computed there, and the way
into that basis and back costs a part of what it saves; so does the way into bfloat16 and back. Pools and ReLU are the
same work for both.
"""
WAYS = """\
A step of ours, and how many times as long it takes without one of the ways in which `gcnn.fast` computes what PyTorch
would (`{command}`, {made}: {cpu}).
The ways take turns in one run; medians, and in brackets the smallest and largest round; a dash where a way has nothing
to do. At 1 a way neither saves nor costs anything on this processor. Without its convolutions, those in the Fourier
basis and by rings go too, and so do factors rounded to bfloat16; with PyTorch's functions everything does, but the
memory that the process keeps. In bfloat16, rings are not used, and the Fourier basis only for large banks, since such
processors multiply faster. The same results come out of every way, up to rounding, which tests check.

{table}
"""
WAYS_COLUMNS = {
    "ms a step": "all.step_ms",
    "without Fourier basis": "without_fourier.ratio",
    "without rings": "without_rings.ratio",
    "without its convolutions": "without_convolutions.ratio",
    "without its pools": "without_pools.ratio",
    "without its batch normalisation": "without_batch_norm.ratio",
    "with PyTorch's functions": "pytorch.ratio",
}
PARTS = """
Of the full submission's {full} seconds {training} are training, {tests} tests, {playground} the free cells, {given} the
given cells, imports among them. A training is cut to some steps as soon as its network cannot earn the points of its
accuracy any more. It is not cut short once the network would pass: only at the end of the course of its learning rates
is it as accurate as the bounds of the tests ask for. Every submission imports PyTorch anew, in a sandbox of its own:
what was loaded once for several would be shared by their code. Filter banks are built anew in every call, in
evaluation too, since what builds them is the student's.
"""
FLOAT32_ONLY = """
This processor does not multiply bfloat16 numbers natively, so that every figure is in float32, ours as well. The aims
for each one's best format were set with bfloat16 in mind.
"""
STEPS = """\
A step is of 50 images with Adam, the original's of 64 and without its loading. An epoch, images a second and the share
of the peak (of the machine's matrix products in the same number format) are in each one's faster format, the original's
in float32, and with loading. Answers are in float32. Brackets: the smallest and largest round. Memory is the most that
the whole process held, PyTorch and the digits included, or the GPU's tensors.
"""
RECORD = """\
The budget `record` (`python benchmarks/record.py`), on the public test digits. The aim was at least 98.0 % on average
for C4CNN with normalisation, within ten minutes on two cores, and no less for D4CNN. Brackets: the smallest and largest
seed. The seconds have their processor with them, how many trainings were timed, and what its matrix products reached
just before and after, where that was measured: a processor that is shared with others is slower on some days. The last
column counts, over 5,000 digits, those of two classes that were taken for each other most often.

D4CNN misses the aim by its construction, not by its training: the same recipe brings C4CNN, which has no normalisation
either, to 98 %. What is invariant to reflections cannot tell a digit from its mirror image, and a mirrored 2 looks like
many a 5, which C4CNN seldom takes for each other.
"""
SEEDS = """\
Every seed draws new weights and another order of the digits (`python benchmarks/record.py`; the budget `grading`, which
is measured on the hidden digits, by `python benchmarks/calibrate.py`; all others on the public test digits). Mean,
smallest and largest seed in brackets, and their number. A dash: not measured.
"""
LADDER = """\
Seconds are those of the whole call of `train_model`. Where no budget is named, it is `standard` with fewer or more
epochs. `grading` is another recipe, Adam alone: with Muon, wrong networks learn faster too, and their accuracies are
nearer to those of right ones.
"""
GROWTH = """\
Milliseconds in float32, without loading. The network is C4CNN with other batches, channels or groups.
"""


class Rows:
    """The rows of a result by name."""

    def __init__(self, result: dict[str, object]):
        self.rows = {one["name"]: one for one in result["rows"]}

    def get(self, name: str) -> float | None:
        """A row's value, or None where it was not measured."""
        return self.rows[name]["value"] if name in self.rows else None

    def text(self, name: str, spread: bool = False, scale: float = 1, after: str = "") -> str:
        """A row's value for a table, with its smallest and largest where that is wanted."""
        if name not in self.rows:
            return "–"
        one = self.rows[name]
        text = number(scale * one["value"]) + after
        if spread and one["spread"]["n"] > 1:
            text += f" ({number(scale * one['spread']['min'])} … {number(scale * one['spread']['max'])})"
        return text

    def curve(self, network: str) -> list[tuple[float, float, float]]:
        """Ours after each budget but `grading`, which is another recipe: epochs, seconds and percent, sorted."""
        return [point for budget, *point in self.budgets(network) if budget != "grading"]

    def budgets(self, network: str) -> list[tuple[str, float, float, float]]:
        """Ours after each budget: its name, epochs, seconds and percent, in order of epochs."""
        points = []
        for name, one in self.rows.items():
            if name.startswith(f"accuracy.{network}."):
                seconds = self.rows[name.replace("accuracy.", "seconds.", 1)]["value"]
                points.append((name.partition(f".{network}.")[2], one["epochs"], seconds, one["value"]))
        return sorted(points, key=lambda point: point[1:])


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown, without the columns and lines in which nothing was measured."""
    lines = [line for line in lines if set(line[2:]) != {"–"}]
    kept = [i for i in range(len(head)) if i < 2 or any(line[i] != "–" for line in lines)]
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row[i] for i in kept) + " |" for row in rows)


def aims(rows: Rows) -> str:
    """What was to be reached, and what was."""
    lines = []
    for name, (words, least) in AIMS.items():
        value = rows.get(name)
        answer = "not measured" if value is None else "reached" if value >= least else "**missed**"
        lines.append([words, rows.text(name, spread=True), f"at least {least}", answer])
    return table(["figure", "measured", "aim", ""], lines)


def each(rows: Rows, columns: dict[str, tuple[str, dict[str, object]]], peers: list[str]) -> str:
    """A table with a line for each network and peer; columns are the ends of rows' names and how they are shown."""
    lines = []
    for network, title in NETWORKS.items():
        for who in peers:
            cells = [rows.text(f"{network}.{who}.{end}", **how) for end, how in columns.values()]
            lines.append([title, PEERS[who], *cells])
    return table(["network", "who", *columns], lines)


def budgets(rows: Rows) -> str:
    """Ours after each budget."""
    lines = []
    for network, title in NETWORKS.items():
        for budget, epochs, seconds, percent in rows.budgets(network):
            named = f"`{budget}`" if budget in BUDGETS else ""
            lines.append([title, f"{epochs:g}", named, number(seconds), f"{percent:.1f}"])
    return table(["network", "epochs", "budget", "seconds", "percent right"], lines)


def growth(rows: Rows) -> str:
    """Steps at other batches, widths and groups."""
    names = (re.fullmatch(r"growth\.(\w+)\.width_(.+)\.batch_(\d+)\.(\w+)\.step_ms", name) for name in rows.rows)
    shapes = dict.fromkeys(match.group(1, 2, 3) for match in names if match)
    orders = {"c1cnn": "1", "c4cnn": "4", "d4cnn": "8"}
    lines = []
    for network, width, batch in shapes:
        start = f"growth.{network}.width_{width}.batch_{batch}"
        cells = [rows.text(f"{start}.{who}.step_ms", spread=True) for who in MARKERS]
        lines.append([batch, f"× {width}", orders.get(network, network), *cells])
    return table(["batch", "channels", "group elements", *MARKERS], lines)


def spread_of(row: dict[str, object]) -> str:
    """The smallest and largest seed's accuracy."""
    return f"{row['spread']['min']:.2f} … {row['spread']['max']:.2f}"


def timed(row: dict[str, object]) -> str:
    """A machine's seconds, with what its matrix products reached just then."""
    peak = f", {number(row['gflops'] / 1000)} TFLOP/s" if row.get("gflops") else ""
    return f"{number(row['value'])} ({row['machine'].partition(',')[0]}, n {row['spread']['n']}{peak})"


def record(results: list[dict[str, object]]) -> str:
    """Long trainings: accuracy, seconds, and which digits were mistaken for each other."""
    lines = []
    for rows, network in itertools.product(map(Rows, results), NETWORKS):
        end = f"{network}.record"
        if f"accuracy.{end}" not in rows.rows:
            continue
        seeds = str(rows.rows[f"accuracy.{end}"]["spread"]["n"])
        pairs = [name for name in rows.rows if name.startswith(f"mistaken.{end}.")]
        mistaken = "; ".join(f"{pair[-3:].replace('_', ' and ')}: {rows.text(pair)}" for pair in pairs) or "–"
        accuracy = rows.rows[f"accuracy.{end}"]
        percent = f"{accuracy['value']:.2f} ({spread_of(accuracy)})"
        time = "; ".join(timed(row) for name, row in rows.rows.items() if name.startswith(f"seconds.{end}")) or "–"
        lines.append([NETWORKS[network], seeds, percent, time, mistaken])
    lines.sort(key=lambda line: [*NETWORKS.values()].index(line[0]))
    return table(["network", "seeds", "percent right", "seconds", "mistaken for each other"], lines)


def seeds(results: list[dict[str, object]]) -> str:
    """The accuracies after each of the course's budgets, over seeds."""
    found = {name: one for rows in map(Rows, results) for name, one in rows.rows.items()}
    lines = []
    for network, title in NETWORKS.items():
        cells = []
        for budget in COLUMNS:
            one = found.get(f"accuracy.{network}.{budget}")
            cells.append(f"{one['value']:.2f} ({spread_of(one)}), {one['spread']['n']}" if one else "–")
        lines.append([title, *cells])
    return table(["network", *COLUMNS], lines)


def profiled(profile: dict[str, object]) -> str:
    """Where a step goes, from what `benchmarks/profiled.py` wrote."""
    rows, total = profile["rows"], sum(row["value"] for row in profile["rows"])
    lines = [
        [row["name"].rpartition(".")[2], number(row["value"]), f"{100 * row['value'] / total:.0f} %"] for row in rows
    ]
    found = table(["what", "ms a step", "share"], lines).strip()
    return PROFILE.format(table=found, dtype=rows[0]["dtype"], **origin(profile))


def origin(result: dict[str, object]) -> dict[str, str]:
    """With which command, when and on what a result was measured."""
    made = f"{result['made'][:10]}, commit {result['commit']}"
    return {"command": result["command"], "made": made, "cpu": result["machine"]["cpu"]}


def ways(result: dict[str, object]) -> str:
    """What each of our ways saves, from what `benchmarks/ways.py` wrote."""
    rows, lines = Rows(result), []
    for (network, title), dtype in itertools.product(NETWORKS.items(), ("float32", "bfloat16")):
        cells = [rows.text(f"{network}.{dtype}.{end}", spread=True) for end in WAYS_COLUMNS.values()]
        lines.append([title, dtype, *cells])
    return WAYS.format(table=table(["network", "format", *WAYS_COLUMNS], lines), **origin(result))


def whole(more: dict[str, dict[str, object]]) -> str:
    """The seconds of the whole notebook and of grading, beside the most that they may be."""
    lines = []
    for (file, name), (words, most) in WHOLE.items():
        if file not in more:
            continue
        result = more[file]
        seconds = Rows(result).rows[name]["value"]
        on = f"{result['machine']['cpu']}, {result['machine'].get('numbers', 'number format not kept')}"
        made = f"`{result['command']}`, {result['made'][:10]}, {on}"
        reached = "reached" if seconds <= most else "**missed**"
        lines.append([words, number(seconds), f"at most {most}", reached, made])
    found = table(["what", "seconds", "aim", "", "measured with"], lines)
    if "grading" in more:
        rows = Rows(more["grading"])
        parts = {part: rows.text(f"full.{part}_seconds") for part in ("training", "tests", "playground", "given")}
        found += "\n" + PARTS.format(full=rows.text("full.seconds"), **parts)
    return found


def remarks(rows: Rows, gpu: str | None) -> str:
    """What has to be known of the figures: their format, their recipe, and that there are none of a GPU."""
    said = [] if any(name.endswith(".step_ms.bfloat16") for name in rows.rows) else [FLOAT32_ONLY]
    standard = next((one for name, one in rows.rows.items() if re.fullmatch(r"accuracy\.\w+\.standard", name)), None)
    now = BUDGETS["standard"].epochs
    said += [OLDER.format(epochs=standard["epochs"], now=now)] if standard and standard["epochs"] != now else []
    return "".join(f"\n{one}" for one in [*said, *([] if gpu else [NO_GPU])])


def page(
    result: dict[str, object], records: list[dict[str, object]], more: dict[str, dict[str, object]] | None = None
) -> str:
    """The whole page.

    Args:
        result: what `training.py` wrote.
        records: what `record.py` and `calibrate.py` wrote.
        more: what other benchmarks wrote, by the name of the file.
    """
    more = more or {}
    rows, machine = Rows(result), result["machine"]
    spread = {"spread": True}
    steps = {
        "ms a step, float32": ("step_ms.float32", spread),
        "ms a step, bfloat16": ("step_ms.bfloat16", spread),
        "s an epoch": ("seconds_per_epoch", {}),
        "images a second": ("images_per_second", {}),
        "of the peak": ("share_of_peak", {"scale": 100, "after": " %"}),
        "s to name 5,000 digits": ("evaluate_seconds", {}),
        "peak memory, MiB": ("peak_mb", {}),
    }
    reached = {f"s to {words}": (f"seconds_to_{key}", spread) for key, words in TARGETS.items()}
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}, GPU: {machine['gpu'] or 'none'}"
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    seconds = ", ".join(
        f"{title} {number(points[-1][1])} s to {points[-1][2]:.1f} %"
        for network, title in NETWORKS.items()
        if network in COLOURS and (points := rows.curve(network))
    )
    alt = (
        f"Percent right on the public test digits against seconds of training, on a logarithmic axis. Ours: {seconds}."
    )
    made = f"{result['made'][:10]}, commit {result['commit']}"
    return "\n".join(
        [
            HEAD,
            f"Measured with `{result['command']}`, {made}: {hardware}; {versions}.\n",
            f"![{alt}](pictures/{PICTURE})\n",
            "## What was to be reached\n",
            aims(rows) + remarks(rows, machine["gpu"]),
            *(["## Where a step goes\n", profiled(more["profiled"])] if "profiled" in more else []),
            *(["## What each way saves\n", ways(more["ways"])] if "ways" in more else []),
            "\n## Steps, epochs and answers\n",
            STEPS,
            each(rows, steps, [*PEERS]),
            "\n## Seconds to an accuracy\n",
            REACHED,
            each(rows, reached, ["original", "pairs", "ours", "escnn"]),
            "\n## Ours after each budget\n",
            LADDER,
            budgets(rows),
            *(["\n## Seed by seed\n", SEEDS, seeds(records)] if records else []),
            *(["\n## As accurate as it gets\n", RECORD, record(records)] if records else []),
            *(
                ["\n## A whole notebook, a whole submission\n", whole(more)]
                if more.keys() & {f for f, _ in WHOLE}
                else []
            ),
            "\n## How a step grows\n",
            GROWTH,
            growth(rows),
            "",
        ]
    )


def picture(result: dict[str, object], path: Path) -> None:
    """Draw accuracy against seconds: ours run, the others counted as the page says."""
    rows = Rows(result)
    figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for network, colour in COLOURS.items():
        points = [point for point in rows.curve(network) if point[2] >= LOWEST]
        percents = [percent for *_, percent in points]
        if points:
            label = f"{NETWORKS[network]}, ours"
            ax.plot([s for _, s, _ in points], percents, color=colour, marker="o", linewidth=1.8, label=label)
        for who in ("pairs", "escnn"):
            epoch = rows.get(f"{network}.{who}.seconds_per_epoch")
            if points and epoch and network in ("c4cnn", "c4cnn_bn"):
                at, look = [epoch * e for e, *_ in points], {"marker": MARKERS[who], "markersize": 5, "linewidth": 0.8}
                label = f"{NETWORKS[network]}, {who} (counted)"
                ax.plot(at, percents, color=colour, linestyle=":", alpha=0.75, label=label, **look)
        for key, percent in (("93", 93.24), ("95", 95.0)):
            last = {"c4cnn": "93", "c4cnn_bn": "95"}.get(network)
            seconds = rows.get(f"{network}.original.seconds_to_{key}")
            if seconds and key == last:
                label = f"{NETWORKS[network]}, original (30 epochs, official digits)"
                look = {"marker": "*", "markersize": 15, "linestyle": "none", "markeredgecolor": "black"}
                ax.plot(seconds, percent, color=colour, label=label, **look)
    ax.axhline(93.24, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    ax.set(xscale="log", xlabel="seconds of training", ylabel="percent right, public test digits")
    ax.grid(alpha=0.25)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Write docs/speed.md and docs/pictures/accuracy_against_seconds.png."""
    source = FOLDER / "training.json"
    if not source.exists():
        print("docs/speed.md is left as it is: nothing has been measured yet (make speed)")
        return
    result = json.loads(source.read_text(encoding="utf-8"))
    files = [FOLDER / "calibrate.json", *sorted(file for name in COLUMNS for file in FOLDER.glob(f"{name}_*.json"))]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    others = [FOLDER / f"{name}.json" for name in ("profiled", "ways", "solved", "grading")]
    more = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in others if path.exists()}
    (ROOT / "docs" / "speed.md").write_text(page(result, records, more), encoding="utf-8")
    picture(result, ROOT / "docs" / "pictures" / PICTURE)


if __name__ == "__main__":
    main()
