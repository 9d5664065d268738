"""The process of one role, as its agent has it."""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from experiments import child, journal, worker
from experiments.journal import Journal
from experiments.launch import MARKER, signs
from experiments.launch.signs import Signs
from experiments.launch.wire import Inlet
from experiments.threads import cores

_BAR_SECONDS = 0.5
_LONGEST_LINE = 1 << 16  # bytes
_KILL_SECONDS = 5.0


class RoleProcess:
    """Starts a role in a process group of its own, which ends with this process.

    Args:
        command: program and arguments.
        environment: besides the machine's own.
        folder: where it runs; None is where this process does.
        marker: of the role's processes.
        place: which of this machine's workers it is, from 0.
        workers: how many of them share the cores and the GPUs.

    Attributes:
        run: folder and command of the run that it records, when it has told them.

    Raises:
        OSError: if there is no such program.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: str | None,
        marker: str,
        place: int,
        workers: int,
    ) -> None:
        self.marker = marker
        self.run: dict[str, str] | None = None
        self.exit_code: int | None = None
        self._recorded = 0  # how often in a row its run was seen to be at its end
        self._next_bar = 0.0
        self._own_end, its_end = socket.socketpair()
        told = {**os.environ, **environment, MARKER: marker, worker.RUN_LINK: str(its_end.fileno())}
        told |= _share(told, place, workers)
        try:
            self._process = child.start(
                command,
                cwd=folder,
                env=told,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(its_end.fileno(),),
                start_new_session=True,
            )
        finally:
            its_end.close()
        assert self._process.stdout is not None
        self.runs = Inlet(self._own_end.fileno())
        self.output = Inlet(self._process.stdout.fileno())

    def printed(self) -> list[tuple[str, str]]:
        """What it has printed since: each ``line``, and of a progress bar now and then the state it is in."""
        found = [("line", _last_state(line)) for line in self.output.lines()]
        rest = self.output.rest
        if len(rest) > _LONGEST_LINE and b"\r" not in rest:
            self.output.rest = b""
            return [*found, ("line", _last_state(rest))]
        if b"\r" in rest and time.monotonic() >= self._next_bar:
            self._next_bar = time.monotonic() + _BAR_SECONDS
            self.output.rest = b"\r" + rest.rpartition(b"\r")[2]
            found.append(("bar", _last_state(rest)))
        return found

    def has_ended(self) -> bool:
        """Whether it has; ``exit_code`` says how, a signal as a negative number."""
        self.exit_code = self._process.poll()
        return self.exit_code is not None

    def last_printed(self) -> list[tuple[str, str]]:
        """What it printed before it ended."""
        found = []
        while new := self.printed():
            found += new
        return found + ([("line", _last_state(self.output.rest))] if self.output.rest.strip() else [])

    def new_run(self) -> bool:
        """Whether it has told of a run since; it waits until `run_is_known`."""
        told = self.runs.lines() if self.runs.is_open else []
        if told:
            self.run = json.loads(told[-1])
        return bool(told)

    def run_is_known(self) -> None:
        """Let it go on with the run."""
        with suppress(OSError):
            self._own_end.send(b"\n")

    def signs(self) -> Signs:
        """Its signs of life."""
        return signs.of_group(self._process.pid)

    def recorded(self) -> str | None:
        """The status of its run, once, a moment after it is recorded to its end: what follows is leave-taking.

        A worker that failed may wait there for the others for ever: MXNet's workers end together.
        """
        if self.run is None:
            return None
        own = Journal(Path(self.run["run"]))
        status = own.read("state").get("status")
        over = status not in (None, journal.RUNNING, journal.QUEUED) and own.take()
        own.close()
        self._recorded = self._recorded + 1 if over else 0
        return status if self._recorded == 2 else None

    def send(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill its group, and wait until the process is no more, unless it hangs in the kernel."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_SECONDS)


def _share(told: dict[str, str], place: int, workers: int) -> dict[str, str]:
    """Its part of the machine's cores, where nobody has said how many threads it takes, and of the GPUs."""
    share = {} if told.get("OMP_NUM_THREADS") else {"OMP_NUM_THREADS": str(max(1, cores() // workers))}
    visible = told.get("CUDA_VISIBLE_DEVICES")
    present = sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)
    gpus = present if visible is None else [word for word in visible.split(",") if word]
    each = len(gpus) // workers
    if workers > 1 and each:
        share["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[place * each : (place + 1) * each])
    return share


def _last_state(line: bytes) -> str:
    """What is seen of a line when all was printed that lies over each other in it."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
