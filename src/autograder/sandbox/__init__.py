"""A submission's kernel in a sandbox: no network, no sight of what is not its own, limits on what it may use."""

from autograder.sandbox.limits import Evidence, Limits, SandboxUnavailable
from autograder.sandbox.provisioner import sandboxed_kernel
from autograder.sandbox.sandbox import Sandbox
from autograder.sandbox.workspace import clean_up_stale

__all__ = ["Evidence", "Limits", "Sandbox", "SandboxUnavailable", "clean_up_stale", "sandboxed_kernel"]
