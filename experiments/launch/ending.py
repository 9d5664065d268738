"""The end of a job on one machine: no process of it is left, and its run in the log says how it ended."""

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from experiments import journal
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.launch import MARKER

_KILL_SECONDS = 10.0  # who is there then hangs in the kernel, as on a network file system that is away


def end(marker: str, run: str | None = None, why: str | None = None, status: str = journal.FAILED) -> str | None:
    """Kill what is left of a job, and mark its run.

    Args:
        marker: of the processes, a job's or that of one of its roles.
        run: folder of the run that the job recorded here, if it did.
        why: what happened, one line; None where all went well.
        status: of the run, if it has not ended by itself.

    Returns:
        What the run's status is now; None if there is no run.
    """
    kill(marker)
    return None if run is None else _mark(Journal(Path(run)), why, status)


def kill(marker: str, seconds: float = _KILL_SECONDS) -> None:
    """Kill every process on this machine that is marked by ``marker``, but this one.

    None is left then; who is left after ``seconds`` is named on stderr.
    """
    deadline = time.monotonic() + seconds
    while found := marked(marker):
        if time.monotonic() > deadline:
            pids = ", ".join(map(str, found))
            print(f"launch: {socket.gethostname()}: still there {seconds:g} s after SIGKILL: {pids}", file=sys.stderr)
            return
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def marked(marker: str) -> list[int]:
    """The living processes of this user that are marked by ``marker``, but this one."""
    wanted = f"{MARKER}={marker}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it has ended, or is another user's
                words = (entry / "environ").read_bytes().split(b"\0")
                if any(word == wanted or word.startswith(wanted + b"/") for word in words):
                    found.append(int(entry.name))
    return found


def _mark(own: Journal, why: str | None, status: str) -> str | None:
    """Write how the run ended where it could not do so itself; what it says in the end, None if it had not begun."""
    from experiments import sync

    if not own.folder.is_dir():
        return None
    for _ in range(50):  # the kernel takes a killed process's lock away a little later
        if own.take():
            break
        time.sleep(0.1)
    else:
        return own.read("state").get("status")
    try:
        state = own.read("state")
        if not (own.folder / "run.json").exists():  # the last that is written of a new run
            sync.remove(own)
            return None
        if why is not None and state.get("status") in (journal.RUNNING, journal.QUEUED):
            now = journal.now()
            seconds = state.get("wall_seconds", 0)
            if state.get("parts"):
                seconds += (datetime.fromisoformat(now) - datetime.fromisoformat(state["parts"][-1])).total_seconds()
            ended = {"status": status, "stop_time": now, "wall_seconds": seconds, "died": why}
            own.write("state", {**state, **ended, "fail_trace": [why] if status == journal.FAILED else None})
            with suppress(UserError):  # the store is away; it gets the run by the next one, or by `sync`
                sync.bring(own)
        return own.read("state").get("status")
    finally:
        own.close()
