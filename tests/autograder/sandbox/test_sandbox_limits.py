"""Tests of the limits: each one is exceeded, for real; the kernel ends, the record says why, the machine is well."""

import os
import sys
import threading
import time

import nbformat
import psutil
import pytest
import zmq
from kernels import CellError, alive, running, wait_until
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from autograder.sandbox import Limits, Sandbox, provisioner, sandboxed_kernel

pytestmark = pytest.mark.usefixtures("bubblewrap")


@pytest.fixture(scope="module")
def kernel(bubblewrap):
    """A kernel that survives what is done to it: small disk, few files."""
    with running(Limits(disk_mb=20, open_files=100)) as kernel:
        yield kernel


class _Highest:
    """Watches a number from outside, a hundred times a second, and keeps the highest."""

    def __init__(self, measure):
        self.value, self._measure, self._end = 0, measure, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._end.wait(0.01):
            self.value = max(self.value, self._measure())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join()


def _tree(kernel):
    try:
        return psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)
    except psutil.Error:
        return []


def _resident(process):
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def test_a_memory_bomb_is_killed():
    """Does a kernel that takes more and more memory end, with the reason, before it has much more than the limit?"""
    code = """
    import time
    kept = []
    while True:
        kept.append(b"x" * 20_000_000)
        time.sleep(0.02)
    """
    with running(Limits(memory_mb=300)) as kernel, _Highest(lambda: sum(map(_resident, _tree(kernel)))) as used:
        assert kernel.dies(code) == ["memory limit of 300 MB exceeded"]
        assert kernel.sandbox.evidence.peak_memory_mb > 200
    assert used.value < 600e6


def test_a_memory_bomb_of_many_processes_is_killed():
    """Does memory count that is taken by the kernel's children, each a little?"""
    code = """
    import os, time
    for _ in range(20):
        if os.fork() == 0:
            kept = os.urandom(30_000_000)
            time.sleep(30)
    time.sleep(30)
    """
    with running(Limits(memory_mb=300)) as kernel:
        assert kernel.dies(code) == ["memory limit of 300 MB exceeded"]


def test_memory_that_is_used_and_given_back_is_no_offence():
    """Does a kernel live on that takes memory below the limit, again and again?"""
    with running(Limits(memory_mb=300)) as kernel:
        assert kernel.value("[len(bytes([n]) * 150_000_000) for n in range(1, 6)]") == [150_000_000] * 5
        assert kernel.sandbox.evidence.limits_hit == []


def test_a_fork_bomb_is_bounded_and_killed():
    """Does a fork bomb end, with the reason, and are there never many more processes than the limit?"""
    code = """
    import os
    while True:
        try:
            os.fork()
        except OSError:
            pass
    """
    with running(Limits(processes=60)) as kernel, _Highest(lambda: len(_tree(kernel))) as most:
        assert kernel.dies(code) == ["limit of 60 processes and threads exceeded"]
    assert 20 < most.value < 80


def test_a_bomb_of_threads_is_bounded_and_killed():
    """Do threads count as well?"""
    code = """
    import threading, time
    for _ in range(500):
        try:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        except RuntimeError:
            break
    time.sleep(30)
    """
    with running(Limits(processes=60)) as kernel:
        assert kernel.dies(code) == ["limit of 60 processes and threads exceeded"]


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm"])
def test_a_full_disk_is_its_own(kernel, folder):
    """Does writing without end fail at the limit, leave the host's disks as they were, and the kernel alive?"""
    code = f"""
    import os, errno
    written = 0
    try:
        for part in range(100):
            with open(f"{folder}/part{{part}}", "wb") as file:
                written += file.write(b"x" * 1_000_000)
    except OSError as error:
        reason = errno.errorcode[error.errno]
    for part in range(100):
        try:
            os.remove(f"{folder}/part{{part}}")
        except OSError:
            pass
    [reason, written]
    """
    reason, written = kernel.value(code)
    assert reason == "ENOSPC"
    assert 15e6 < written <= 20e6


def test_one_file_cannot_be_larger_than_the_disk(kernel):
    """Does a file with a hole of a terabyte fail, in the working directory and in memory without a name?"""
    for opened in ("open('hole', 'wb')", "open(os.memfd_create('hole'), 'wb')"):
        with pytest.raises(CellError, match=r"File too large|No space left"):
            kernel.run(f"import os\nfile = {opened}\nos.ftruncate(file.fileno(), 10**12)")


def test_open_files_are_bounded(kernel):
    """Does opening files without end fail at the limit, which cannot be raised?"""
    code = """
    import errno, os, resource
    opened = []
    try:
        for _ in range(1000):
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        reason = errno.errorcode[error.errno]
    finally:
        for descriptor in opened:
            os.close(descriptor)
    [reason, len(opened) < 100]
    """
    assert kernel.value(code) == ["EMFILE", True]
    with pytest.raises(CellError, match="not allowed to raise"):
        kernel.run("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))")


def test_no_core_dumps(kernel):
    """Does a crash leave no image of its memory behind?"""
    assert kernel.value("import resource; resource.getrlimit(resource.RLIMIT_CORE)") == (0, 0)


def test_an_endless_loop_is_interrupted(kernel):
    """Does an interrupt end a cell, also one that waits for a child, and leave the kernel alive?"""
    for code in ("while True: pass", "import subprocess; subprocess.run(['sleep', '60'])"):
        request = kernel.start(code)
        time.sleep(0.5)
        kernel.manager.interrupt_kernel()
        with pytest.raises(CellError, match="KeyboardInterrupt"):
            kernel.finish(request, 10)
    assert kernel.value("1 + 1") == 2


def test_what_ignores_interrupts_is_killed():
    """Does a cell that ignores every signal end when the sandbox is killed, with the caller's reason?"""
    code = """
    import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    print("deaf", flush=True)
    while True: pass
    """
    with running() as kernel:
        request = kernel.start(code)
        time.sleep(0.5)
        kernel.manager.interrupt_kernel()
        with pytest.raises(TimeoutError):
            kernel.finish(request, 1)
        processes = _tree(kernel)
        kernel.sandbox.kill("cell limit of 1 s exceeded")
        assert not any(alive(process.pid) for process in processes)
        assert kernel.sandbox.evidence.limits_hit == ["cell limit of 1 s exceeded"]
        assert not kernel.manager.is_alive()


def test_a_submission_has_its_time():
    """Does what runs end when the submission's time is up, and is the time measured?"""
    with Sandbox(Limits(submission_seconds=1)) as sandbox:
        sandbox.run([sys.executable, "-c", "while True: pass"])
        evidence = sandbox.evidence
    assert evidence.limits_hit == ["time limit of 1 s exceeded"]
    assert 1 <= evidence.wall_seconds < 5
    assert 0.05 < evidence.cpu_seconds < 5


@pytest.mark.parametrize(
    "code",
    [
        "while True: print('x' * 10_000)",
        "from IPython.display import display\nwhile True: display({'text/plain': 'x' * 100_000}, raw=True)",
    ],
)
def test_endless_output_is_killed(code):
    """Does nbclient see the kernel end that prints or displays without end, and does the record say why?"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with sandboxed_kernel(limits=Limits(output_bytes=2_000_000)) as manager:
        with pytest.raises(DeadKernelError):
            NotebookClient(notebook, km=manager, timeout=30).execute()
        assert manager.sandbox.evidence.limits_hit == ["output limit of 2,000,000 bytes exceeded"]


def test_a_message_that_is_too_large_does_not_arrive():
    """Is a message larger than the limit not held by the grader?"""
    with running(Limits(message_bytes=1_000_000)) as kernel:
        assert len(kernel.run("print('x' * 500_000)")) == 500_001
        with pytest.raises(TimeoutError):
            kernel.run("print('x' * 5_000_000)", timeout=2)


_CONNECTIONS = """
    import os, socket, struct, threading, time
    mine = []
    for name in os.listdir("/proc/self/fd"):
        try:
            one = socket.socket(fileno=os.dup(int(name)))
            if one.family == socket.AF_UNIX and not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                one.getpeername()
                mine.append(one)
        except OSError:
            pass
"""


def test_what_does_not_fit_into_the_grader_is_killed():
    """Does a kernel end that writes a message without end past its own zmq, into the grader's memory?"""
    code = f"""
    {_CONNECTIONS}
    endless = bytes([3]) + struct.pack(">Q", 100_000) + bytes(100_000)  # ZMTP: a long frame, and more of them to come
    def flood(one):
        time.sleep(1)  # until the kernel has said that it is idle
        one.setblocking(True)
        while True:
            one.sendall(endless)
    for one in mine:
        threading.Thread(target=flood, args=(one,)).start()
    """
    with running(Limits(grader_mb=150)) as kernel:
        kernel.start(code)
        assert wait_until(lambda: not kernel.manager.is_alive(), 20)
        kernel.sandbox.kill()
        assert kernel.sandbox.evidence.limits_hit == ["sent more than the grader may hold: 150 MB"]


def test_a_broken_connection_does_not_hold_up_the_grader(monkeypatch):
    """After a kernel has broken its connections for good, does sending to it end, and closing the client?"""
    monkeypatch.setattr(provisioner, "PATIENCE", 300)
    code = f"""
    {_CONNECTIONS}
    for one in mine:
        one.setblocking(False)
        one.send(bytes([255]) * 1000)
    """
    with running() as kernel:
        kernel.start(code)
        with pytest.raises(zmq.Again):
            for _ in range(20):
                time.sleep(0.1)
                kernel.start("pass")


def test_a_silent_cell_is_not_a_broken_connection(monkeypatch):
    """Does a cell that says nothing for longer than a broken connection may take run to its end under nbclient?"""
    monkeypatch.setattr(provisioner, "PATIENCE", 300)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time; time.sleep(1); print('done')")])
    with sandboxed_kernel() as manager:
        NotebookClient(notebook, km=manager, timeout=60).execute()
    assert notebook.cells[0].outputs[0].text == "done\n"


def test_a_forged_message_ends_the_kernel():
    """Does a message that no kernel sends, rightly signed, end the submission with that reason?"""
    code = """
    kernel = get_ipython().kernel
    socket, session = kernel.iopub_socket, kernel.session
    parts = [b"[" * 100_000, b"{}", b"{}", b"{}"]
    socket.send_multipart([b"<IDS|MSG>", session.sign(parts), *parts])
    """
    with running() as kernel:
        kernel.start(code)
        with pytest.raises(Exception):  # noqa: B017  whatever jupyter_client says to it
            while True:
                kernel.client.get_iopub_msg(timeout=5)
        assert not kernel.manager.is_alive()
        assert kernel.sandbox.evidence.limits_hit == ["a message that no kernel sends"]


def test_a_limit_is_a_positive_number():
    """Are limits that are none refused, by name?"""
    for value in (0, -1, float("nan"), float("inf"), True, "6 GB"):
        with pytest.raises(ValueError, match="memory_mb"):
            Limits(memory_mb=value)


def test_the_record_says_what_enforces(capsys):
    """Does the record name a mechanism for each limit, a cgroup where root can make one?"""
    with Sandbox() as sandbox:
        by = sandbox.evidence.enforced_by
    assert set(by) == {"memory", "processes", "disk", "time"}
    assert by["disk"] == "sized tmpfs"
    if os.geteuid() != 0:
        assert by["processes"] in ("RLIMIT_NPROC", "cgroup v1", "cgroup v2")


def test_limits_hold_without_cgroups(monkeypatch):
    """Where no cgroup is to be had: do the watchdog and the resource limits end the two bombs all the same?"""
    from autograder.sandbox import cgroups

    monkeypatch.setattr(cgroups, "parents", lambda: ({}, None, None))
    slowly = "import time\nkept = []\nwhile True:\n    kept.append(b'x' * 10_000_000)\n    time.sleep(0.02)"
    with running(Limits(memory_mb=300)) as kernel:
        assert kernel.sandbox.evidence.enforced_by["memory"] == "watchdog"
        assert kernel.dies(slowly) == ["memory limit of 300 MB exceeded"]
    with running(Limits(processes=60)) as kernel, _Highest(lambda: len(_tree(kernel))) as most:
        assert kernel.dies("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert most.value < 80
