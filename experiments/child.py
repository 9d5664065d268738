"""Child processes that never outlive their parent, however it dies."""

import ctypes
import os
import signal
import subprocess
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start `command`; the kernel kills it when this process ends, by kill -9 too.

    Args:
        command: Program and arguments.
        **options: Passed to `subprocess.Popen`.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: nothing may be loaded after the fork
    parent = os.getpid()

    def follow_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return subprocess.Popen(command, preexec_fn=follow_parent, **options)


def stop(child: subprocess.Popen[bytes], patience_seconds: float = 30.0) -> None:
    """Ask `child` to end by SIGTERM, wait for it, and kill it after `patience_seconds`."""
    child.terminate()
    try:
        child.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
