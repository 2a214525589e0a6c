"""Turn every benchmarks/results/*.json into docs/figures.md, the one place that README and docs quote figures from.

make figures
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def section(path: Path) -> str:
    """One result file as a heading, what it was measured on, and a table."""
    result = json.loads(path.read_text())
    machine, versions = result["machine"], result["versions"]
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}, GPU: {machine['gpu'] or 'none'}",
        *([f"convolutions multiply {machine['numbers']}"] if "numbers" in machine else []),
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    ]
    lines = [
        f"## {path.stem}",
        "",
        f"`{result['command']}`, {result['made']}, commit {result['commit']}. {'; '.join(parts)}.",
    ]
    lines += ["", "| name | value | unit | spread |", "|---|---|---|---|"]
    for row in result["rows"]:
        spread = row.get("spread") or {}
        shown = ", ".join(f"{key} {value}" for key, value in spread.items() if key != "values" and value is not None)
        lines.append(f"| {row['name']} | {row['value']} | {row['unit']} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    """Write docs/figures.md."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    head = "# Figures\n\nMade by `make figures` from `benchmarks/results/`; each section names its command."
    text = "\n\n".join([head, *(section(path) for path in paths)]) + "\n"
    target = ROOT / "docs" / "figures.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
