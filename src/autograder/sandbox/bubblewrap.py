"""The command line that puts a program under bubblewrap: what it sees, and what it may.

The rule for what it sees: a new, empty file system, and in it read-only what Linux and the kernel's Python need, each
at its own path. Nothing is shown because nobody thought of hiding it.

As an ordinary user, bubblewrap makes a user namespace, in it all others, and forbids further ones. As root, root mounts
(an ordinary user could not reach a Python in root's home), then ``setpriv`` becomes a user that exists nowhere else,
and that user's own bubblewrap, which mounts nothing new, makes the user namespace that forbids further ones. Root in a
user namespace would still be root to Linux, which does not apply its limit on processes to root.
"""

import glob
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.sandbox import seccomp
from autograder.sandbox.interpreter import Interpreter, within
from autograder.sandbox.limits import Limits

HOME = "/home/student"
WORK = "/home/student/work"
RUN = "/run/sandbox"

# What programs read of /etc. Not /etc itself: it names the machine's users, and jupyter's configuration may be there.
_ETC = ("ld.so.cache", "alternatives", "localtime", "fonts")
# How many processors there are, and how the memory lies: torch and OpenMP read it.
_SYS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
# What CUDA needs beside its devices and its driver's libraries, which are below /usr.
_SYS_GPU = ("/sys/bus/pci", "/sys/devices", "/sys/module")

_NO_SUCH_PACKAGE = b"raise ModuleNotFoundError(\"No module named 'autograder'\", name='autograder')\n"


def gpu_devices() -> list[str]:
    """The device files of NVIDIA GPUs on this machine, and WSL's."""
    return sorted(glob.glob("/dev/nvidia*") + glob.glob("/dev/dxg"))


def user_namespaces() -> bool:
    """Whether ordinary users of this machine may make user namespaces that are of use, as the kernel's switches say."""
    switches = {
        "/proc/sys/user/max_user_namespaces": "0",
        "/proc/sys/kernel/unprivileged_userns_clone": "0",  # Debian's
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",  # Ubuntu's
    }
    return not any(Path(name).exists() and Path(name).read_text().strip() == off for name, off in switches.items())


class _View:
    """Collects what is shown and hidden, by real path, and writes it in an order in which it nests rightly."""

    def __init__(self):
        self.entries: dict[str, str] = {}
        self.links: dict[str, str] = {}

    def show(self, path: str) -> None:
        """Show a file or folder, if there is one, at its real path, and the links that lead there."""
        if not os.path.exists(path):
            return
        real, rest = "/", [part for part in path.split("/") if part]
        while rest:
            step = os.path.normpath(os.path.join(real, rest.pop(0)))
            if os.path.islink(step):
                self.links[step] = target = os.readlink(step)
                rest[:0] = [part for part in target.split("/") if part not in ("", ".")]
                step = "/" if target.startswith("/") else real
            real = step
        self.entries.setdefault(real, "show")

    def hide(self, path: str, how: str = "hide") -> None:
        """Put an empty folder over a folder, should it be shown as part of another one."""
        if os.path.isdir(path):
            self.entries.setdefault(os.path.realpath(path), how)

    def arguments(self, descriptors: list[int]) -> list[str]:
        """The mounts, outer ones before inner ones."""
        mounts: list[str] = []
        closings: list[str] = []
        around: list[tuple[str, bool]] = []
        for path, how in sorted(self.entries.items(), key=lambda entry: Path(entry[0]).parts):
            around = [outer for outer in around if within(path, [outer[0]])]
            shown = how == "show"
            if shown == (bool(around) and around[-1][1]):
                continue  # in view already, or not in view anyway
            around.append((path, shown))
            mounts += folders_above(path)
            if shown:
                mounts += ["--ro-bind", path, path]
                continue
            mounts += ["--perms", "0755", "--tmpfs", path]
            closings += ["--remount-ro", path]
            if how == "package":
                # An empty folder could still be imported, as a namespace package.
                mounts += file(os.path.join(path, "__init__.py"), _NO_SUCH_PACKAGE, descriptors)
        visible = [path for path, how in self.entries.items() if how == "show"]
        for link, target in sorted(self.links.items()):
            if not within(link, visible):
                mounts += [*folders_above(link), "--symlink", target, link]
        return mounts + closings


def folders_above(path: str) -> list[str]:
    """Make the folders above a path, readable: those that bubblewrap makes by itself are for their owner only."""
    return [word for parent in list(Path(path).parents)[-2::-1] for word in ("--dir", str(parent))]


def file(path: str, content: bytes, descriptors: list[int]) -> list[str]:
    """Make a file with this content. Adds the descriptor that bubblewrap reads it from to ``descriptors``."""
    return [*folders_above(path), "--perms", "0444", "--file", _descriptor(content, descriptors), path]


def _descriptor(content: bytes, descriptors: list[int]) -> str:
    descriptor = os.memfd_create("sandbox")
    descriptors.append(descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return str(descriptor)


def _view(python: Interpreter, hide: Iterable[Path], gpus: list[str]) -> _View:
    view = _View()
    for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        view.show(f"/{name}")
    for path in (*(f"/etc/{name}" for name in _ETC), *_SYS, *(_SYS_GPU if gpus else ())):
        view.show(path)
    for folder in (*python.folders, *python.course):
        view.show(folder)
    for package in python.hidden_packages:
        view.hide(package, how="package")
    # Jupyter's configuration for the whole machine is below /usr/local/etc, and may hold the gradebook's password.
    for folder in (*python.hidden_folders, "/usr/local/etc", *map(str, hide)):
        view.hide(folder)
    return view


def command(
    python: Interpreter, limits: Limits, *, uid: int, hide: Iterable[Path] = (), data: Mapping[str, bytes] | None = None
) -> tuple[list[str], list[int]]:
    """The words to put before a program's own, and their file descriptors: to be passed on, then closed.

    Args:
        python: what the kernel runs on.
        limits: the sizes of the scratch file systems.
        uid: which user root becomes; an ordinary user stays who he is.
        hide: folders that stay out of sight even if they lie in a folder that is shown.
        data: files to make inside, by absolute path.
    """
    root = os.geteuid() == 0
    descriptors: list[int] = []
    gpus = gpu_devices()
    size = str(int(limits.disk_mb * 1e6))
    user, group = (uid, uid) if root else (os.getuid(), os.getgid())
    bwrap = shutil.which("bwrap") or "bwrap"
    # Each namespace by name, as --unshare-all makes do without a user namespace where none is to be had.
    words = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if root else ["--unshare-user", "--disable-userns"]
    # The kernel dies with the grader; and it cannot type into the terminal that the grader was started from.
    words += ["--die-with-parent", "--new-session", "--hostname", "sandbox"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += [word for device in gpus for word in ("--dev-bind-try", device, device)]
    for scratch in ("/tmp", "/home", "/dev/shm"):
        words += ["--perms", "1777", "--size", size, "--tmpfs", scratch]
    words += ["--perms", "0777", "--dir", HOME, "--perms", "0777", "--dir", WORK]
    words += _view(python, hide, gpus).arguments(descriptors)
    accounts = {
        "/etc/passwd": f"student:x:{user}:{group}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        "/etc/group": f"student:x:{group}:\nnogroup:x:65534:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n",
    }
    for path, content in {**{path: text.encode() for path, text in accounts.items()}, **(data or {})}.items():
        words += file(path, content, descriptors)
    calls = seccomp.program()
    filtering = ["--seccomp", _descriptor(calls, descriptors)] if calls else []
    # Last, as nothing can be made afterwards. / and /dev lie in memory and have no size: files there would fill it.
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK, "--cap-drop", "ALL"]
    if not root:
        return [*words, *filtering, "--"], descriptors
    words += [word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")]
    become = [shutil.which("setpriv") or "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    become += ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]
    if not user_namespaces():
        return [*words, *filtering, "--", *become], descriptors
    # In a namespace of its own a program has every capability over it, and so reaches far more of the kernel.
    inner = [bwrap, "--unshare-user", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL"]
    return [*words, "--", *become, *inner, "--dev-bind", "/", "/", *filtering, "--"], descriptors
