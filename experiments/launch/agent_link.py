"""An agent, as the launcher has it: started, spoken to, listened to."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from experiments import ROOT
from experiments.launch import MARKER, SILENCE_SECONDS
from experiments.launch.job import Role
from experiments.launch.screen import Screen

_BUSY_SECONDS, _BUSY_SHARE = 10.0, 0.02  # who computes for less of the time than that only waits


class AgentLink:
    """Starts the agent of one role.

    Args:
        role: its.
        job: marker of all processes of the job.
        ssh: the command that starts another one on a machine.
        screen: shows what the role prints.
        tell: is told each message, and None when no more can come.

    Attributes:
        port: a free one there, when the agent has answered.
        exit_code: the role's, when it has ended; a signal as a negative number.
        ended: when that was.
        stopped: since when the role's process has been stopped.
        unanswered: the addresses that do not confirm what its process sends, since when.
        busy: when it was last seen to compute.
        finished: whether nothing of the role is left, by the agent's word.
        status: of the run that it recorded, then.
        last_words: what ssh, or the agent, said on stderr last.
    """

    def __init__(
        self, role: Role, job: str, ssh: str, screen: Screen, tell: Callable[["AgentLink", dict[str, Any] | None], None]
    ) -> None:
        self.role = role
        self.port: int | None = None
        self.exit_code: int | None = None
        self.ended = 0.0
        self.stopped: float | None = None
        self.unanswered: dict[str, float] = {}
        self.busy = self._heard = time.monotonic()
        self.finished = False
        self.status: str | None = None
        self.last_words = ""
        self._cpu = time.monotonic(), 0.0
        self._showing = False
        self._screen, self._tell = screen, tell
        self._process = subprocess.Popen(
            role.host.agent_command(ssh, f"{job}/agent"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, MARKER: f"{job}/agent"},
            start_new_session=True,  # Ctrl-C in the terminal is the launcher's
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._listen_to_stderr)]
        for thread in self._threads:
            thread.start()

    @property
    def silent_seconds(self) -> float:
        """How long nothing came from it; while the terminal does not take what it said, that is not its fault."""
        return 0.0 if self._showing else time.monotonic() - self._heard

    def say(self, kind: str, content: Any = None) -> None:
        """Send it a message."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it is gone: its end is told in another way
            self._process.stdin.write(json.dumps({kind: content}).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def answers(self) -> bool:
        """Whether it can be expected to end by itself when it is told to."""
        return self.port is not None and self.silent_seconds <= SILENCE_SECONDS

    def loss(self) -> str:
        """How the talk with it ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.returncode
        if self.role.host.is_local:
            return f"its agent {'closed its output' if code is None else end_in_words(code)}"
        self._threads[1].join(1.0)
        return self.last_words or f"ssh {'closed its output' if code is None else end_in_words(code)}"

    def close(self, seconds: float) -> int:
        """Wait for the agent's end, kill it after ``seconds``; its exit code, or ssh's."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._process.kill()
        code = self._process.wait()
        for thread in self._threads:
            thread.join(2.0)
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        return code

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
                assert isinstance(message, dict)
            except (ValueError, AssertionError):  # a login script there prints
                message = {"line": line.decode(errors="replace").rstrip()}
            self._heard = time.monotonic()
            self._take(message)
        self._tell(self, None)

    def _take(self, message: dict[str, Any]) -> None:
        for kind, show in (("line", self._screen.line), ("bar", self._screen.bar)):
            if kind in message:
                self._showing = True
                show(self.role.label, message[kind])
                self._heard = time.monotonic()
                self._showing = False
                return
        now = time.monotonic()
        if signs := message.get("beat"):
            self.stopped = (self.stopped or now) if signs["stopped"] else None
            self.unanswered = {peer: self.unanswered.get(peer, now) for peer in signs["unanswered"]}
            since, seconds = self._cpu
            if now - since >= _BUSY_SECONDS:
                self._cpu = now, signs["cpu_seconds"]
                if signs["cpu_seconds"] - seconds >= _BUSY_SHARE * (now - since):
                    self.busy = now
        elif "ended" in message:
            self.exit_code, self.ended = message["ended"], now
        elif "finished" in message:
            self.finished, self.status = True, message["finished"]
        elif "hello" in message:
            self.port = message["hello"]
        self._tell(self, message)

    def _listen_to_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if text := line.decode(errors="replace").strip():
                self.last_words = text
                self._screen.line(self.role.label, text)


def end_in_words(exit_code: int) -> str:
    """How a process ended; a signal is a negative number."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"killed by signal {-exit_code} ({signal.Signals(-exit_code).name})"
