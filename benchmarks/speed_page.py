"""Turn training.json and record_….json of benchmarks/results into docs/speed.md and its picture; nothing is measured.

make figures
"""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from results import FOLDER, ROOT

PICTURE = "accuracy_against_seconds.png"
NETWORKS = {
    "c4cnn": "C4CNN",
    "c4cnn_bn": "C4CNN with normalisation",
    "isotropic_cnn": "IsotropicCNN",
    "d4cnn": "D4CNN",
    "plain_cnn": "ordinary CNN",
}
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
the bundled set reaches the target counts, with the time of the whole call of `train_model`. The others are
**counted**, not run: pairs computes the same function as ours and escnn one of the same shape, so each is given as
many epochs as ours needed. The original is given its 30 epochs, by its measured seconds an epoch: by its own account
it is at 93.24 % (C4CNN) and at about 95 % (with normalisation) after them, on the 50,000 official test digits; it
does not say when a network passed a lower mark. A dash: not reached in the budgets that were tried, or no such
figure.
"""
FLOAT32_ONLY = """
This processor does not multiply bfloat16 numbers natively, so that every figure is in float32, ours as well. The aims
for each one's best format were set with bfloat16 in mind.
"""
STEPS = """\
A step is of 50 images, the original's of 64 and without its loading. An epoch, images a second and the share of the
peak (of the machine's matrix products in the same number format) are in each one's faster format, the original's in
float32, and with loading. Answers are in float32. Brackets: the smallest and largest round. Memory is the most that
the whole process held, PyTorch and the digits included, or the GPU's tensors.
"""
RECORD = """\
The budget `record` (`python benchmarks/record.py`), on the public test digits. The aim was at least 98.0 % on average
for C4CNN with normalisation, within ten minutes on two cores, and no less for D4CNN. Brackets: the smallest and largest
seed. The last column counts, over 5,000 digits, those of two classes that were taken for each other most often.

D4CNN misses the aim by its construction, not by its training: the same recipe brings C4CNN, which has no normalisation
either, to 98 %. What is invariant to reflections cannot tell a digit from its mirror image, and a mirrored 2 looks like
many a 5, 4 or 6: the mistakes that D4CNN adds are those.
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
        """Ours after each budget: epochs, seconds and percent, in order of epochs."""
        points = []
        for name, one in self.rows.items():
            if name.startswith(f"accuracy.{network}."):
                seconds = self.rows[name.replace("accuracy.", "seconds.", 1)]["value"]
                points.append((one["epochs"], seconds, one["value"]))
        return sorted(points)


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
        for epochs, seconds, percent in rows.curve(network):
            lines.append([title, f"{epochs:g}", number(seconds), f"{percent:.1f}"])
    return table(["network", "epochs", "seconds", "percent right"], lines)


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


def record(results: list[dict[str, object]]) -> str:
    """Long trainings: accuracy, seconds, and which digits were mistaken for each other."""
    lines = []
    for rows in map(Rows, results):
        network = next(iter(rows.rows)).split(".")[1]
        end = f"{network}.record"
        seeds = str(rows.rows[f"accuracy.{end}"]["spread"]["n"])
        pairs = [name for name in rows.rows if name.startswith(f"mistaken.{end}.")]
        mistaken = "; ".join(f"{pair[-3:].replace('_', ' and ')}: {rows.text(pair)}" for pair in pairs) or "–"
        accuracy, seconds = (rows.rows.get(f"{what}.{end}") for what in ("accuracy", "seconds"))
        spread = accuracy["spread"]
        percent = f"{accuracy['value']:.2f} ({spread['min']:.2f} … {spread['max']:.2f})"
        time = f"{number(seconds['value'])} (n {seconds['spread']['n']})" if seconds else "–"
        lines.append([NETWORKS[network], seeds, percent, time, mistaken])
    lines.sort(key=lambda line: [*NETWORKS.values()].index(line[0]))
    return table(["network", "seeds", "percent right", "seconds", "mistaken for each other"], lines)


def page(result: dict[str, object], records: list[dict[str, object]]) -> str:
    """The whole page, from what `benchmarks/training.py` and `benchmarks/record.py` wrote."""
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
            aims(rows) + ("" if any(name.endswith(".step_ms.bfloat16") for name in rows.rows) else "\n" + FLOAT32_ONLY),
            "\n## Steps, epochs and answers\n",
            STEPS,
            each(rows, steps, [*PEERS]),
            "\n## Seconds to an accuracy\n",
            REACHED,
            each(rows, reached, ["original", "pairs", "ours", "escnn"]),
            "\n## Ours after each budget\n",
            budgets(rows),
            *(["\n## As accurate as it gets\n", RECORD, record(records)] if records else []),
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
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("record_*.json"))]
    (ROOT / "docs" / "speed.md").write_text(page(result, records), encoding="utf-8")
    picture(result, ROOT / "docs" / "pictures" / PICTURE)


if __name__ == "__main__":
    main()
