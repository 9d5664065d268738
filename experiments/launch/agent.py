"""Runs one role of a job on its machine, for a launcher that may be on another: ``python -m experiments.launch.agent``.

Stdin brings the launcher's words, stdout takes the agent's, a JSON object a line. The launcher says:

==========  ==========================================================================================
``start``   run this ``command`` in this ``environment``, one of several workers of the machine
``beat``    I am here
``known``   I know of the run
``signal``  send this to the role's process
``end``     kill it, mark its run if ``why`` says that something went wrong, and end
``clear``   for a machine whose own agent is gone: kill what is marked ``marker``, mark ``run``, and end
==========  ==========================================================================================

The agent answers ``hello`` with a free port, ``beat`` with the signs of life of its role, each ``line`` that the role
prints and the state of its ``bar``, the ``run`` that it records and that this is ``recorded``, how it ``ended`` (a
signal is a negative number), and with ``finished`` the status of the run when nothing of the role is left.
"""

import json
import os
import random
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.launch import BEAT_SECONDS, SILENCE_SECONDS, ending
from experiments.launch.role_process import RoleProcess
from experiments.launch.wire import Inlet, Outlet, wait

_LOWEST_PORT = 10_000
_MOST_WAITING = 1 << 20  # bytes for the launcher; with so many the role must wait until it has taken some


class Agent:
    """The talk with the launcher about one role's process."""

    def __init__(self) -> None:
        self._orders, self._answers = Inlet(0), Outlet(1)
        self._role: RoleProcess | None = None
        self._ended = False
        self._heard = time.monotonic()
        self._next_beat = 0.0

    def attend(self) -> int:
        """Do as the launcher says until it says the end, or is gone; the exit code."""
        self._answers.say("hello", _free_port())
        while True:
            role = self._role
            reads_output = role is not None and self._answers.waiting_bytes < _MOST_WAITING
            listens_to = [role.runs, *([role.output] if reads_output else [])] if role else []
            wait([self._orders, *listens_to], self._answers, 0.1)
            self._answers.push()
            for line in self._orders.lines():
                self._heard = time.monotonic()
                order = json.loads(line)
                if "end" in order:
                    self._end(**order["end"])
                    return 0
                if "clear" in order:
                    os.environ.update(order["clear"].pop("forwarded"))
                    self._finished(ending.end(**order["clear"]))
                    return 0
                self._obey(order)
            if not (self._orders.is_open and self._answers.is_open):
                self._end("the launcher ended")
                return 1
            if time.monotonic() - self._heard > SILENCE_SECONDS:
                self._end(f"the launcher was not heard for {SILENCE_SECONDS:.0f} seconds")
                return 1
            if role is not None and not self._ended:
                self._look_after(role, reads_output)
            if time.monotonic() >= self._next_beat:
                self._next_beat = time.monotonic() + BEAT_SECONDS
                self._beat()

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            os.environ.update(order["start"].pop("forwarded"))  # the run's end needs the store's address here too
            try:
                self._role = RoleProcess(**order["start"])
            except OSError as error:
                self._answers.say("line", f"{order['start']['command'][0]} cannot be started: {error.strerror}")
                self._answers.say("ended", 127)
        elif "signal" in order and self._role is not None and not self._ended:
            self._role.send(order["signal"])
        elif "known" in order and self._role is not None:
            self._role.run_is_known()

    def _look_after(self, role: RoleProcess, reads_output: bool) -> None:
        """Pass on what the role prints, which run it records, and its end."""
        self._ended = role.has_ended()
        if reads_output or self._ended:
            for kind, text in role.last_printed() if self._ended else role.printed():
                self._answers.say(kind, text)
        if role.new_run():
            self._answers.say("run", role.run)
        if self._ended:
            self._answers.say("ended", role.exit_code)

    def _beat(self) -> None:
        if self._role is None or self._ended:
            self._answers.say("beat", {})
            return
        self._answers.say("beat", self._role.signs())
        if status := self._role.recorded():
            self._answers.say("recorded", status)

    def _end(self, why: str | None, status: str = journal.FAILED) -> None:
        """Leave nothing of the role, and its run marked where ``why`` something went wrong."""
        now = None
        if self._role is not None:
            self._role.kill()
            self._role.new_run()
            run = self._role.run["run"] if self._role.run else None
            now = ending.end(self._role.marker, run, why, status)
        self._finished(now)

    def _finished(self, status: str | None) -> None:
        self._answers.say("finished", status)
        self._answers.drain(2.0)


def _free_port() -> int:
    """A port that nobody has, and that the system gives to nobody.

    One that it gives may be taken before the scheduler has it, by a process that tries to reach the scheduler there.
    """
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(_LOWEST_PORT, first_given)
    for port in [*random.sample(ports, min(100, len(ports))), 0]:  # 0: the system gives one after all
        with socket.socket() as free, suppress(OSError):
            free.bind(("", port))
            return free.getsockname()[1]
    raise OSError("no port is free")


if __name__ == "__main__":
    sys.exit(Agent().attend())
