"""Whether this machine has a sandbox to offer, and if not, what to do."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from autograder.sandbox import bubblewrap
from autograder.sandbox.interpreter import interpreter
from autograder.sandbox.limits import Limits, SandboxUnavailable

OLDEST = (0, 8)  # the first bubblewrap that has both --size and --disable-userns
INSTALL = "Install it with `apt-get install bubblewrap`, or choose to grade without a sandbox: `--sandbox none`."


@functools.lru_cache(maxsize=4)
def check(python: str = sys.executable) -> None:
    """Start a sandbox with nothing in it.

    Raises:
        SandboxUnavailable: bubblewrap is missing, too old or not permitted here. The message says what to do.
    """
    if not shutil.which("bwrap"):
        raise SandboxUnavailable(f"bubblewrap is not installed. {INSTALL}")
    version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout.split()[-1:]
    if tuple(int(part) for part in re.findall(r"\d+", "".join(version))[:2]) < OLDEST:
        raise SandboxUnavailable(f"bubblewrap {''.join(version)} is too old: it must be 0.8 or newer. {INSTALL}")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise SandboxUnavailable("setpriv is not installed. Install it with `apt-get install util-linux`.")
    words, descriptors = bubblewrap.command(interpreter(python), Limits(), uid=65534)
    try:
        done = subprocess.run(
            [*words, "/bin/true"], capture_output=True, text=True, env={}, pass_fds=descriptors, timeout=60
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if done.returncode:
        detail = " ".join(done.stderr.split("\n")[:1])
        raise SandboxUnavailable(
            f"bubblewrap is installed, but this machine does not permit it ({detail}). {_permission()}"
        )


def _permission() -> str:
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if apparmor.exists() and apparmor.read_text().strip() == "1" and os.geteuid():
        fix = "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    elif not bubblewrap.user_namespaces() and os.geteuid():
        fix = "`sudo sysctl user.max_user_namespaces=10000`, and kernel.unprivileged_userns_clone=1 where there is one"
    else:
        fix = "in a container: start it with `--cap-add SYS_ADMIN --security-opt seccomp=unconfined`"
    return f"Permit it ({fix}), or choose to grade without a sandbox: `--sandbox none`."
