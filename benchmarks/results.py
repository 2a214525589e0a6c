"""What all benchmarks share: a figure's row, the machine it is of, and the file in which a benchmark leaves its rows.

The format is the same for all of them, so that `benchmarks/figures.py` can show any.
"""

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from gcnn.fast import rounds

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "results"


def over_seeds(name: str, values: list[float], unit: str) -> dict[str, object]:
    """One figure that was measured several times: the mean, and how it spreads over the seeds."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    spread = {"n": len(values), "sd": sd, "min": min(values), "max": max(values), "values": values}
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in spread.items()}
    rounded["values"] = [round(value, 3) for value in values]
    return {"name": name, "value": round(statistics.mean(values), 3), "unit": unit, "spread": rounded}


def machine() -> dict[str, object]:
    """What the figures were measured on, and the format of the numbers that its convolutions multiply in a training."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GiB",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "numbers": "bfloat16" if rounds("auto") else "float32",
    }


def peak(dtype: torch.dtype, device: str = "cpu") -> float:
    """Operations a second of the best of some products of two square matrices."""
    n, best = 256, 0.0
    while True:
        a = torch.randn(n, n, device=device, dtype=dtype)
        for _ in range(12):
            start = time.perf_counter()
            a @ a
            if device == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
            best = max(best, 2 * n**3 / seconds)
        n *= 2
        # Larger products are nearer to the peak, but a format that a processor only imitates takes minutes for one.
        if n > (8192 if device == "cuda" else 2048) or 8 * seconds > 1:
            return best


def write(path: Path, script: str, rows: list[dict[str, object]], **versions: str) -> None:
    """Write a benchmark's rows, with what is needed to measure them again.

    Args:
        path: the file.
        script: the benchmark's own path in the project; the arguments are those of this process.
        rows: with "name", "value" and "unit", and "spread" where there is one.
        versions: of what else the figures depend on, beside Python and torch.
    """
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    result = {
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or None,
        "machine": machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, **versions},
        "command": " ".join(["python", script, *sys.argv[1:]]),
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
