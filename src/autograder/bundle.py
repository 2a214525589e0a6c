"""What students get, in one folder: the released notebook, the package that it installs, a README and requirements."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.errors import CourseError

_URL = re.compile(r'(?m)^GCNN_URL = ".*"$')
_WHEEL = re.compile(r"gcnn-[^/?#]*\.whl")
_VERSION = re.compile(r'(?m)^version = "(.*)"$')
_LONG_AGO = "315532800"  # the first second of 1980, the earliest that a zip file can say
_FORBIDDEN = ("autograder", "hidden", "source/")  # what no path in the student's package may hold

README = """# Group equivariant neural networks: the course notebook

- `{notebook}`: the course. Read, write your answers, hand in this one file.
- `{wheel}`: the course's package. The notebook's first cell installs it; keep both files in one folder.
- `requirements.txt`: what else is needed, where you set up Python yourself.

**In Colab**: upload `{notebook}` (*File → Upload notebook*), then drag `{wheel}` into the file browser on the left.
*Runtime → Change runtime type → T4 GPU* makes training faster.

**In Kaggle**: *Create → New Notebook → File → Import Notebook*, then *File → Upload input* for `{wheel}`.

**On a JupyterHub, in JupyterLab or VS Code**: put both files into one folder, open the notebook. It needs Python 3.10
and PyTorch 2.6, or newer; nothing that is installed is replaced.

On a Mac with an Intel processor use Colab or Kaggle: there is no such PyTorch for it.

**From nothing**, on your own machine. On Windows:

```
py -m venv gcnn-course
gcnn-course\\Scripts\\pip install -r requirements.txt jupyterlab ipywidgets
gcnn-course\\Scripts\\jupyter lab {notebook}
```

On macOS and Linux:

```
python3 -m venv gcnn-course
gcnn-course/bin/pip install -r requirements.txt jupyterlab ipywidgets
gcnn-course/bin/jupyter lab {notebook}
```

Then run the cells from the top. The last one checks the notebook and makes the file to hand in.
"""


def make_bundle(project: Path, notebook: NotebookNode, name: str, out: Path, url: str = "") -> list[Path]:
    """Put together what students get.

    The package's version tells its content, so that the notebook installs a corrected one over an earlier one. The same
    content gives the same file.

    Args:
        project: the folder of the student package's pyproject.toml.
        notebook: the released notebook; it is not changed.
        name: what its file is called.
        out: the folder; wheels of earlier bundles in it are removed.
        url: where the notebook finds the package when no wheel lies beside it: the address of its folder, with a "/"
            at its end, or of the file. An earlier wheel's name in it becomes this one's.

    Returns:
        The files.

    Raises:
        CourseError: pip could not build the package, or what it built holds what no student may see; or the address is
            of neither kind.
    """
    if url and not url.endswith("/") and not _WHEEL.search(url):
        raise CourseError(f"{url} is neither the address of a folder, which ends in /, nor that of a gcnn-….whl")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("gcnn-*.whl"):
        old.unlink()
    # The back end is among what the grader has: fetching another one would need a network.
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    with tempfile.TemporaryDirectory(prefix="gcnn-") as folder:
        # Built from a copy: in the project's own folder an earlier build's modules, or another build that runs at the
        # same time, would get into it.
        copy = Path(folder)
        shutil.copytree(project / "src" / "gcnn", copy / "src" / "gcnn", ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            if (project / file).exists():
                shutil.copy(project / file, copy)
        _name_content(copy)
        variables = {**os.environ, "SOURCE_DATE_EPOCH": _LONG_AGO}
        if subprocess.run([*pip, "--wheel-dir", str(out.resolve()), folder], check=False, env=variables).returncode:
            raise CourseError("pip could not build the student package; its message is above")
    (wheel,) = out.glob("gcnn-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        if bad := [path for path in packed.namelist() if any(word in path for word in _FORBIDDEN)]:
            wheel.unlink()
            raise CourseError(f"the student package would hold {bad[0]}, which no student may see; it was not made")
        metadata = next(path for path in packed.namelist() if path.endswith(".dist-info/METADATA"))
        lines = packed.read(metadata).decode("utf-8").splitlines()
    notebook = nbformat.from_dict(notebook)
    address = url + wheel.name if url.endswith("/") else _WHEEL.sub(wheel.name, url)
    for cell in notebook.cells:
        if cell.cell_type == "code" and url:
            cell.source = _URL.sub(lambda _: f"GCNN_URL = {json.dumps(address)}", cell.source)
    needs = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    texts = {
        name: nbformat.writes(notebook) + "\n",
        "README.md": README.format(notebook=name, wheel=wheel.name),
        "requirements.txt": "".join(f"{need}\n" for need in needs if "extra ==" not in need),
    }
    for file, text in texts.items():
        (out / file).write_text(text, encoding="utf-8")
    return sorted([wheel, *(out / file for file in texts)])


def _name_content(copy: Path) -> None:
    """Put a number that is made from the package's content at the end of the version in its pyproject.toml.

    It is written as a post release: in a file's name a local version's "+" does not survive every browser and server.
    """
    content = hashlib.sha256()
    for file in sorted(path for path in copy.rglob("*") if path.is_file()):
        data = file.read_bytes()
        content.update(f"{file.relative_to(copy).as_posix()} {len(data)}\n".encode() + data)
    project = copy / "pyproject.toml"
    number = int(content.hexdigest()[:8], 16)
    text = _VERSION.sub(rf'version = "\g<1>.post{number}"', project.read_text(encoding="utf-8"), count=1)
    project.write_text(text, encoding="utf-8")
