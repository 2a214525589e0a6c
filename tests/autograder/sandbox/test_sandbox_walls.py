"""Tests of what a kernel in the sandbox can see and do: everything that is not its own is out of reach."""

import os
import sys
from pathlib import Path

import pytest
from kernels import CellError, running, wait_until

import autograder
import gcnn
from autograder.sandbox import Sandbox

PACKAGE = Path(autograder.__file__).parent


@pytest.fixture(scope="module")
def kernel(bubblewrap, tmp_path_factory):
    """A kernel in a sandbox, started from a course with secrets lying around."""
    root = tmp_path_factory.mktemp("world")
    course, home = root / "course", root / "home"
    own = course / "submitted" / "ada" / "gcnn"
    for folder in (course, course / "source" / "gcnn", course / "submitted" / "bob" / "gcnn", home, root):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "planted-secret.txt").write_text("planted")
    own.mkdir(parents=True)
    (own / "gcnn.ipynb").write_text("{}")
    (own / "notes.txt").write_text("mine")
    (own / "deeper").mkdir()
    (own / "deeper" / "run.sh").write_text("#!/bin/sh\necho ran")
    (own / "deeper" / "run.sh").chmod(0o755)
    (own / "stolen.txt").symlink_to(home / "planted-secret.txt")
    (own / "folder").symlink_to(course / "source")
    os.link(home / "planted-secret.txt", own / "hard.txt")
    os.mkfifo(own / "fifo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course)
        patch.setenv("HOME", str(home))
        patch.setenv("PLANTED_SECRET", "planted")
        with running(files=own) as kernel:
            kernel.files = own
            yield kernel


def test_it_has_no_network(kernel):
    """Is there no interface but its own loopback, and no way to the host's?"""
    code = """
    import errno, socket
    def failure(call):
        try:
            call()
        except OSError as error:
            return errno.errorcode.get(error.errno, type(error).__name__)
    [[name for _, name in socket.if_nameindex()],
     failure(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
     failure(lambda: socket.getaddrinfo("example.org", 80)) is not None]
    """
    assert kernel.value(code) == [["lo"], "ENETUNREACH", True]


def test_it_does_not_reach_the_hosts_own_sockets(kernel):
    """Is a server on the host's loopback out of reach, and one with an abstract name, too?"""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0sandbox-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        code = f"""
        import socket
        def refused(family, address):
            try:
                socket.socket(family).connect(address)
            except ConnectionRefusedError:
                return True
        [refused(socket.AF_INET, ("127.0.0.1", {server.getsockname()[1]})), refused(socket.AF_UNIX, {name!r})]
        """
        assert kernel.value(code) == [True, True]


def test_nothing_of_the_course_is_in_its_file_system(kernel):
    """Does a search of the whole file system find none of the secrets, notebooks and graders' modules?"""
    code = """
    import os
    wanted = {"gcnn.ipynb", "hidden.npz", "gradebook.db", ".course-secret", "autograder/", "submitted/"}
    found = []
    for path, folders, names in os.walk("/"):
        if path == "/":
            folders.remove("proc")
        if "nbgrader" in folders:
            folders.remove("nbgrader")  # it comes with a gradebook for its own tests
        found += [os.path.join(path, n) for n in (*(f + "/" for f in folders), *names)
                  if "planted" in n or n in wanted]
    found
    """
    assert kernel.value(code) == []


def test_the_host_knows_these_places_by_name_and_they_are_not_there(kernel):
    """Are the repository, the grader, its home, and the folder that the submission came from absent by name?"""
    project = PACKAGE.parents[1]
    places = [
        *(project / name for name in ("notebooks", "source", "tests", ".git", "pyproject.toml")),
        *(PACKAGE, PACKAGE / "reference.py", kernel.files, Path(os.environ["HOME"]), kernel.sandbox.workspace.path),
        *map(
            Path, ("/etc/shadow", "/etc/ssh", "/var/lib", "/boot", "/root/.ssh", "/sys/fs/cgroup", "/proc/1/root/var")
        ),
    ]
    assert kernel.value(f"import os\n[place for place in {list(map(str, places))!r} if os.path.exists(place)]") == []


def test_autograder_cannot_be_imported_and_gcnn_can(kernel):
    """Does `import autograder` fail, parts of it as well, while `import gcnn` works?"""
    for name in ("autograder", "autograder.reference", "autograder.sandbox"):
        with pytest.raises(CellError, match="No module named"):
            kernel.run(f"import {name}")
    assert kernel.value("import gcnn; gcnn.__file__") == gcnn.__file__


def test_its_environment_is_its_own(kernel):
    """Are there no variables of the grader, and those that the course needs?"""
    variables = kernel.value("import os\ndict(os.environ)")
    assert not [name for name, value in variables.items() if "planted" in (name + value).lower()]
    assert "SANDBOX_LAUNCH" not in variables and "JPY_PARENT_PID" not in variables
    expected = {"NBGRADER_EXECUTION": "autograde", "HOME": "/home/student", "IPYTHONDIR": "/home/student/.ipython"}
    assert expected.items() <= variables.items()
    assert variables["GCNN_CACHE"].startswith("/home/student/")
    assert kernel.value("import socket; socket.gethostname()") == "sandbox"


def test_no_other_process_tells_it_the_graders_variables(kernel):
    """Is the first process's environment, as far as it can be read, the same clean one?"""
    code = """
    import glob
    texts = []
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            texts.append(open(path, "rb").read().decode())
        except PermissionError:
            pass
    [any("planted" in text for text in texts), len(texts) > 1]
    """
    assert kernel.value(code) == [False, True]


def test_it_has_no_privileges(kernel):
    """Is it no root, without capabilities, without a way to new ones or to a namespace of its own?"""
    code = """
    import ctypes, os
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    libc = ctypes.CDLL(None, use_errno=True)
    CLONE_NEWUSER = 0x10000000
    capabilities = [int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    namespace = libc.unshare(CLONE_NEWUSER)
    [os.getuid(), os.getgid(), os.getgroups(), capabilities, status["NoNewPrivs"].strip(), namespace]
    """
    user, group, groups, capabilities, no_new, namespace = kernel.value(code)
    if os.geteuid() == 0:
        assert user == group == kernel.sandbox.workspace.uid and groups == []
    else:
        assert user == os.getuid() and group == os.getgid()
    assert capabilities == [0, 0, 0, 0, 0]
    assert (no_new, namespace) == ("1", -1)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no sandbox then")
def test_root_needs_no_user_namespaces(monkeypatch, bubblewrap):
    """As root, where ordinary users may not make namespaces and so need not be kept from it: no capability either?"""
    from autograder.sandbox import bubblewrap as module

    monkeypatch.setattr(module, "user_namespaces", lambda: False)
    with Sandbox() as sandbox:
        status, output = sandbox.run(["/bin/grep", "-E", "^(Uid|Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"])
    found = dict(line.split(":\t") for line in output.splitlines())
    assert (status, found.pop("NoNewPrivs"), found.pop("Seccomp")) == (0, "1", "2")
    assert set(found.pop("Uid").split()) == {str(sandbox.workspace.uid)}
    assert len(found) == 5 and not any(int(value, 16) for value in found.values())


def test_the_host_sees_the_same(kernel):
    """Seen from outside: has every process inside another user than root, and no capabilities, if root grades?"""
    import psutil

    kernels = [
        p for p in psutil.Process(kernel.manager.provisioner.pid).children(recursive=True) if p.name() != "bwrap"
    ]
    assert kernels
    for process in kernels:
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert process.uids().real == (kernel.sandbox.workspace.uid if os.geteuid() == 0 else os.getuid())
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


def test_dangerous_system_calls_fail(kernel):
    """Are the user's keys, io_uring, bpf and memory without an owner out of reach?"""
    from autograder.sandbox.seccomp import _FORBIDDEN

    numbers = _FORBIDDEN.get(os.uname().machine)
    if not numbers:
        pytest.skip("no filter for this processor")
    code = f"""
    import ctypes, errno
    libc = ctypes.CDLL(None, use_errno=True)
    {{errno.errorcode[ctypes.get_errno()] for n in {list(numbers.values())!r} if libc.syscall(n, 0, 0, 0, 0, 0) == -1}}
    """
    assert kernel.value(code) == {"ENOSYS"}


def test_only_its_scratch_folders_are_writable(kernel):
    """Can it write to its home, its working directory, /tmp and /dev/shm, and to nothing else?"""
    code = """
    import os
    writable = set()
    for path, folders, names in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(path, f) not in ("/proc", "/usr") and f != "site-packages"]
        if os.access(path, os.W_OK):
            writable.add(path)
            folders.clear()
    writable
    """
    assert kernel.value(code) - {"/dev/pts"} == {"/home", "/tmp", "/dev/shm"}
    for path in (sys.prefix, os.path.dirname(gcnn.__file__), "/usr", "/etc", "/run/sandbox", "/proc/sys/kernel"):
        with pytest.raises(CellError, match=r"Read-only|Permission|No such"):
            kernel.run(f"open({path!r} + '/x', 'w')")


def test_it_sees_only_its_own_processes(kernel):
    """Are there few processes in /proc, and is the grader's number none of them?"""
    code = """
    import os
    [p for p in os.listdir('/proc') if p.isdigit()]
    """
    assert len(kernel.value(code)) <= 5


def test_its_files_are_there_and_the_rest_of_the_hand_in_is_not(kernel):
    """Has it its plain files, executable ones as such, but no notebook, link or FIFO, and does the record say so?"""
    code = """
    import os
    sorted(os.path.join(p, n)[2:] for p, _, ns in os.walk('.') for n in ns)
    """
    assert kernel.value(code) == ["deeper/run.sh", "notes.txt"]
    assert kernel.value("import subprocess; subprocess.run('deeper/run.sh', capture_output=True).stdout") == b"ran\n"
    assert kernel.sandbox.evidence.left_out == [
        "fifo: not a plain file",
        "folder: a symbolic link",
        "hard.txt: a hard link",
        "stolen.txt: a symbolic link",
    ]


def test_its_files_are_a_copy(kernel):
    """Does changing a file inside leave the hand-in as it was, and is no descriptor of the host's left open?"""
    assert kernel.run("open('notes.txt', 'w').write('changed'); print(open('notes.txt').read())") == "changed\n"
    assert (kernel.files / "notes.txt").read_text() == "mine"
    code = """
    import os
    descriptors = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
    links = [os.readlink(descriptor) for descriptor in descriptors if os.path.exists(descriptor)]
    [link for link in links if link.startswith("/") and not link.startswith(("/dev/", "/proc/", "/home/", "/tmp/"))]
    """
    assert kernel.value(code) == []


def test_an_installed_autograder_is_masked(environment, tmp_path, bubblewrap):
    """Where autograder is an ordinary package: is it not importable, not readable, and gcnn beside it is?"""
    python, packages = environment(tmp_path / "venv")
    for name, text in (
        ("gcnn/__init__.py", "here = True"),
        ("autograder/__init__.py", ""),
        ("autograder/reference.py", "planted = True"),
        ("gcnn_autograder-0.1.0.dist-info/RECORD", "planted"),
    ):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text)
    code = f"""
import gcnn, os
for name in ("autograder", "autograder.reference"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error)
packages = {str(packages)!r}
print([os.path.join(p, n) for p, _, ns in os.walk(packages) for n in ns if "autograder" in p[len(packages):]])
"""
    with Sandbox(python=python) as sandbox:
        status, output = sandbox.run([python, "-c", code])
    assert (status, output.splitlines()[:2]) == (0, ["No module named 'autograder'"] * 2)
    assert output.splitlines()[2:] == [str([str(packages / "autograder" / "__init__.py")])]


def test_an_environment_in_the_courses_folder_shows_nothing_of_the_course(environment, tmp_path, bubblewrap):
    """Where the course's folder *is* the virtual environment, reached through a link: is the course still unseen?"""
    course = tmp_path / "really" / "course"
    environment(course)
    (course / "source").mkdir()
    (course / "source" / "planted-secret.txt").write_text("planted")
    (course / "etc").mkdir()
    (course / "etc" / "planted-password.txt").write_text("planted")
    (tmp_path / "link").symlink_to(tmp_path / "really")
    python = str(tmp_path / "link" / "course" / "bin" / "python")
    code = f"""
import os, sys
print(sys.prefix, [n for _, _, ns in os.walk({str(tmp_path)!r}) for n in ns if 'planted' in n])
"""
    with Sandbox(python=python) as sandbox:
        status, output = sandbox.run([python, "-c", code])
    assert (status, output) == (0, f"{tmp_path / 'link' / 'course'} []\n")


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the system has no Python of its own")
def test_the_systems_python_runs(bubblewrap):
    """Does a Python that is part of the system run inside?"""
    with Sandbox(python="/usr/bin/python3") as sandbox:
        assert sandbox.run(["/usr/bin/python3", "-c", "import sys; print(sys.prefix)"]) == (0, "/usr\n")


def test_a_folder_inside_the_system_can_be_hidden(bubblewrap):
    """Is a course that lies within a system folder unseen, if it is named?"""
    hidden = next(path for path in sorted(Path("/usr/share").iterdir()) if path.is_dir() and any(path.iterdir()))
    with Sandbox(hide=[hidden]) as sandbox:
        assert sandbox.run(["/bin/ls", str(hidden)]) == (0, "")
        assert sandbox.run(["/usr/bin/touch", str(hidden / "x")])[0] != 0


def test_what_is_written_past_the_kernel_is_kept_not_shown(bubblewrap, capfd):
    """Do bytes for the bare error descriptor end up in the evidence, bounded, and not in the grader's terminal?"""
    code = """
    import os
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{name}") and os.readlink(f"/proc/self/fd/{name}").startswith("pipe:"):
            try:
                os.write(int(name), b"PAST" * 10_000)
            except OSError:
                pass
    """
    with running() as kernel:
        kernel.run(code)
        assert wait_until(lambda: len(kernel.sandbox.evidence.stderr) == 10_000, 5)
        assert "PAST" in kernel.sandbox.evidence.stderr
    captured = capfd.readouterr()
    assert "PAST" not in captured.out + captured.err
