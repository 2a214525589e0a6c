"""Tests of the end: whatever a submission started dies, and nothing of the sandbox is left, however the grader ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from kernels import CellError, Kernel, alive, running, wait_until
from nbclient import NotebookClient

from autograder.sandbox import Limits, Sandbox, SandboxUnavailable, clean_up_stale, sandboxed_kernel
from autograder.sandbox.available import check
from autograder.sandbox.workspace import Workspace

pytestmark = pytest.mark.usefixtures("bubblewrap")

_DETACHED = """
import os, subprocess, sys
subprocess.Popen(["setsid", "sleep", "1000"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "1001"])
    os._exit(0)
os.wait()
print("started")
"""


@pytest.fixture(autouse=True)
def no_traces(monkeypatch):
    """Every test leaves the machine as it was: no directory, cgroup, mount or process of the sandboxes it made."""
    made, note = [], Workspace.note_cgroup
    create = Workspace.__init__
    monkeypatch.setattr(Workspace, "__init__", lambda self: (create(self), made.append(self.path))[0])
    monkeypatch.setattr(Workspace, "note_cgroup", lambda self, path: (note(self, path), made.append(path))[0])
    mounts = Path("/proc/self/mountinfo").read_text()
    yield
    assert not any(path.exists() for path in made)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    names = [process.name() for process in psutil.Process().children(recursive=True) if alive(process.pid)]
    assert not {"bwrap", "sleep"} & set(names)


def _processes(kernel):
    return [process.pid for process in psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)]


def test_detached_processes_die_with_the_sandbox():
    """Are processes dead that left the kernel's session and parents, when the block ends?"""
    with running() as kernel:
        assert "started" in kernel.run(_DETACHED)
        assert wait_until(lambda: [p.name() for p in map(psutil.Process, _processes(kernel))].count("sleep") == 2, 5)
        processes = _processes(kernel)
    assert not any(map(alive, processes))


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_detached_processes_die_with_the_kernel(end):
    """Are they dead as well when the kernel ends by itself?"""
    with running() as kernel:
        kernel.run(_DETACHED)
        processes = _processes(kernel)
        assert kernel.dies(f"import os; {end}") == []
        assert wait_until(lambda: not any(map(alive, processes)), 5)


@pytest.mark.parametrize("victim", ["-1", "os.getppid()", "1"])
def test_killing_all_it_can_harms_only_itself(victim):
    """Does a kernel that kills its parent, the first process or everybody end at most itself?"""
    with running() as kernel:
        processes = _processes(kernel)
        with contextlib.suppress(CellError, TimeoutError):
            kernel.run(f"import os; os.kill({victim}, 9)", timeout=5)
    assert not any(map(alive, processes))


def test_shutdown_is_quick_and_complete():
    """Does an ordinary shutdown leave no process, at once?"""
    with running() as kernel:
        kernel.run(_DETACHED)
        processes = _processes(kernel)
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel()
        assert not any(map(alive, processes))


def test_a_restarted_kernel_starts_afresh(tmp_path):
    """After a death, does a restarted kernel have fresh files, the same limits, and the same clock?"""
    (tmp_path / "data.txt").write_text("fresh")
    with running(files=tmp_path) as kernel:
        kernel.run("open('data.txt', 'w').write('stale'); open('/tmp/more', 'w'); open('more', 'w')")
        assert kernel.dies("import os; os._exit(3)") == []
        before = kernel.sandbox.evidence.wall_seconds
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=30)
        found = kernel.value("import os\n[open('data.txt').read(), os.listdir('.'), 'more' in os.listdir('/tmp')]")
        assert found == ["fresh", ["data.txt"], False]
        kernel.sandbox.kill()
        assert kernel.sandbox.evidence.wall_seconds > before > 0


def test_nbclient_runs_a_notebook(tmp_path):
    """Does nbclient run a notebook, with torch and the course's package, and with a file of the submission?"""
    (tmp_path / "helper.py").write_text("answer = 42")
    cells = ["import torch, gcnn.training, helper", "print(int(torch.ones(2, 3).sum()), helper.answer)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with sandboxed_kernel(tmp_path) as manager:
        NotebookClient(notebook, km=manager, timeout=60).execute()
    assert notebook.cells[1].outputs[0].text == "6 42\n"
    assert notebook.cells[0].outputs == []  # no warning, for instance of the processor or a cache
    assert manager.sandbox.evidence.limits_hit == []


def test_a_kernel_outlives_the_thread_that_started_it():
    """Does a kernel live on when the thread that started it is gone?"""
    with sandboxed_kernel(blocking=True) as manager:
        found = []
        thread = threading.Thread(target=lambda: found.append(Kernel(manager)))
        thread.start()
        thread.join()
        manager.provisioner.process.poll()
        assert wait_until(lambda: not manager.is_alive(), 1) is False
        found[0].client.stop_channels()


def test_a_kernel_specification_can_name_the_provisioner(tmp_path):
    """Does jupyter_client find the provisioner by name, with limits as its configuration, and clean up at shutdown?"""
    spec = {
        "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "sandbox",
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"kernel_provisioner": {"provisioner_name": "gcnn-sandbox", "config": {"limits": {"disk_mb": 9}}}},
    }
    (tmp_path / "boxed").mkdir()
    (tmp_path / "boxed" / "kernel.json").write_text(json.dumps(spec))
    manager = KernelManager(kernel_name="boxed", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(tmp_path)]))
    manager.start_kernel(env={**os.environ, "PLANTED_SECRET": "planted"})
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        assert manager.provisioner.sandbox.limits.disk_mb == 9
        client.stop_channels()
    finally:
        manager.shutdown_kernel()


_GRADER = """
import sys, time
import psutil
from kernels import Kernel
from autograder.sandbox import sandboxed_kernel
with sandboxed_kernel(blocking=True) as manager:
    kernel = Kernel(manager)
    kernel.run({detached!r})
    pids = [manager.provisioner.pid, *(p.pid for p in psutil.Process(manager.provisioner.pid).children(recursive=True))]
    print(manager.sandbox.workspace.path, *pids, flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_grader_leaves_nothing_after_the_next_run(number):
    """Do all processes die with a grader that is killed, and does the next sandbox remove the rest?"""
    code = textwrap.dedent(_GRADER).format(detached=_DETACHED)
    grader = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent,
    )
    folder, *pids = grader.stdout.readline().split()
    pids = list(map(int, pids))
    assert len(pids) >= 4 and all(map(alive, pids)) and Path(folder).exists()
    with Sandbox():
        assert Path(folder).exists()  # what is in use is not touched
    record = Path(folder) / "cgroups"
    entered = [Path(line) for line in record.read_text().splitlines()] if record.exists() else []
    entered = [path for path in entered if path.exists()]
    grader.send_signal(number)
    grader.wait(10)
    grader.stdout.close()
    assert wait_until(lambda: not any(map(alive, pids)), 5)
    if number == signal.SIGINT:  # an exception in the grader: it cleans up itself
        assert not Path(folder).exists()
    else:
        assert Path(folder).exists()
    with Sandbox():
        assert not Path(folder).exists()
    assert not any(path.exists() for path in entered)
    assert Path(folder) not in clean_up_stale()


def test_a_directory_of_somebody_else_is_refused(monkeypatch):
    """Does a sandbox refuse to work in a directory that others can write to, or behind a link?"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        base = Path(folder) / f"gcnn-sandbox-{os.geteuid()}"
        (Path(folder) / "elsewhere").mkdir(mode=0o700)
        base.symlink_to(Path(folder) / "elsewhere")
        with pytest.raises(SandboxUnavailable, match="belongs to you only"):
            Sandbox()
        base.unlink()
        base.mkdir()
        base.chmod(0o777)
        with pytest.raises(SandboxUnavailable, match="belongs to you only"):
            Sandbox()


def _fake(folder, script):
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bwrap").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (None, r"bubblewrap is not installed. .*apt-get install bubblewrap.*--sandbox none"),
        ("echo bubblewrap 0.6.1", r"0.6.1 is too old: it must be 0.8 or newer"),
        ('[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit; echo "bwrap: No permissions" >&2; exit 1',
         r"does not permit it \(bwrap: No permissions\). Permit it .*--sandbox none"),
    ],
)  # fmt: skip
def test_without_bubblewrap_there_is_a_sentence(script, sentence, tmp_path, monkeypatch):
    """Where bubblewrap is missing, too old or not permitted: does the error say what to do?"""
    if script:
        _fake(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path) + (":/usr/bin" if script else ""))
    check.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=sentence):
            sandboxed_kernel().__enter__()
    finally:
        check.cache_clear()


def test_no_sandbox_is_explicit_and_warns(tmp_path):
    """Does kind "none" warn, and keep files, limits of time and the end of all processes?"""
    (tmp_path / "data.txt").write_text("mine")
    with pytest.warns(UserWarning, match="without a sandbox"), running(kind="none", files=tmp_path) as kernel:
        assert kernel.value("open('data.txt').read()") == "mine"
        assert kernel.value("import os; os.environ['NBGRADER_EXECUTION']") == "autograde"
        kernel.run("open('data.txt', 'w').write('changed')")
        kernel.run("import subprocess; subprocess.Popen(['sleep', '1000'])")
        processes = _processes(kernel)
        assert len(processes) >= 1
    assert not any(map(alive, processes))
    assert (tmp_path / "data.txt").read_text() == "mine"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Sandbox(Limits(submission_seconds=1), kind="none") as sandbox:
            sandbox.run([sys.executable, "-c", "while True: pass"])
            assert sandbox.evidence.limits_hit == ["time limit of 1 s exceeded"]


def test_another_kind_is_refused():
    """Is a kind that is none refused?"""
    with pytest.raises(ValueError, match="bubblewrap, none"):
        Sandbox(kind="docker")
