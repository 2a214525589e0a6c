"""What of the host a kernel's Python needs to run: which folders, and where the course's packages lie in them."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

from autograder.sandbox.limits import SandboxUnavailable

# The parts of an environment's folder that its Python needs. Never the folder as a whole: somebody may have made the
# environment in the course's own folder. Not `etc` either: jupyter's configuration there may hold a password.
PARTS = ("bin", "lib", "lib64", "libexec", "include", "share", "pyvenv.cfg", "nvvm", "targets")

_QUESTION = """
import importlib.util, json, os, site, sys

def folders(name):
    spec = importlib.util.find_spec(name)
    return list(spec.submodule_search_locations or []) if spec else []

sys.path.remove("")
user = site.getusersitepackages()
print(json.dumps({
    "prefixes": sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}),
    "path": [entry for entry in sys.path if os.path.isdir(entry)],
    "user_base": site.getuserbase() if user in sys.path else None,
    "course": folders("gcnn"),
}))
"""


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """One Python and what belongs to it. All paths are the ones it uses itself, links in them unresolved."""

    executable: str
    """Its absolute path."""
    folders: tuple[str, ...]
    """Files and folders of its environment, and of the one that this is based on."""
    course: tuple[str, ...]
    """Folders of the package `gcnn`, where it is not in one of ``folders``: an editable installation."""
    hidden_packages: tuple[str, ...]
    """Folders of the package `autograder` within ``folders``."""
    hidden_folders: tuple[str, ...]
    """What else to hide within ``folders``: that package's metadata, and configuration."""
    user_base: str | None
    """Where ``pip install --user`` puts packages, if this Python looks there."""


def within(path: str, folders) -> bool:
    """Whether a path is one of these or below one of them."""
    return any(Path(folder) == Path(path) or Path(folder) in Path(path).parents for folder in folders)


@functools.lru_cache(maxsize=8)
def interpreter(executable: str = sys.executable) -> Interpreter:
    """Ask a Python what it consists of. It runs none of the submission's code for that.

    Raises:
        SandboxUnavailable: it does not run.
    """
    executable = os.path.abspath(executable)
    # From "/" and without PYTHONPATH: what only this process or this folder can import is not part of the environment.
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    try:
        asked = [executable, "-E", "-c", _QUESTION]
        done = subprocess.run(asked, capture_output=True, text=True, cwd="/", env=environment, check=True, timeout=60)
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise SandboxUnavailable(f"The kernel's Python, {executable}, does not run: {' '.join(detail)}") from error
    folders = [os.path.join(prefix, part) for prefix in answer["prefixes"] for part in PARTS]
    # A package folder outside the prefixes, as Debian and `pip install --user` have them.
    folders += [entry for entry in answer["path"] if Path(entry).name in ("site-packages", "dist-packages")]
    folders = sorted({folder for folder in folders if os.path.exists(folder)})
    within_reach = [Path(entry) for entry in answer["path"] if within(entry, folders)]
    return Interpreter(
        executable=executable,
        folders=tuple(folders),
        course=tuple(folder for folder in answer["course"] if not within(folder, folders)),
        hidden_packages=tuple(str(entry / "autograder") for entry in within_reach if (entry / "autograder").is_dir()),
        hidden_folders=(
            *(str(found) for entry in within_reach for found in entry.glob("gcnn_autograder-*-info")),
            *(os.path.join(prefix, "etc") for prefix in answer["prefixes"]),
        ),
        user_base=answer["user_base"],
    )
