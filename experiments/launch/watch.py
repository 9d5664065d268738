"""One attempt at a job: all its processes started, watched, and ended together."""

import json
import os
import queue
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from experiments import journal
from experiments.launch import BEAT_SECONDS, SILENCE_SECONDS, ending
from experiments.launch import job as plan
from experiments.launch.agent_link import AgentLink, end_in_words
from experiments.launch.hosts import Host
from experiments.launch.job import Role
from experiments.launch.screen import Screen

START_SECONDS = 60.0  # until an agent answers
MEETING_SECONDS = 60.0  # in which all have met at the scheduler, or it has given up
STOPPED_SECONDS = 10.0  # a process may be stopped for so long
LAST_WORDS_SECONDS = 15.0  # for a run to be recorded after Ctrl-C
SERVERS_SECONDS = 3.0  # for servers to end behind all workers: MXNet's do so together
WORKERS_SECONDS = 30.0  # for workers to end behind a server
ENDING_SECONDS = 20.0  # for an agent to end its role and to bring the run's end to its store
CLEARING_SECONDS = 15.0  # for the same on a machine whose agent is lost
LOOK_SECONDS = BEAT_SECONDS / 4  # between two looks at what is overdue
FAULT = 1  # the exit code of Python behind an exception
UNKNOWN = "UNKNOWN"  # the status of a run on a machine that cannot be reached


@dataclass(frozen=True)
class Outcome:
    """How the job ended.

    Attributes:
        exit_code: of the launcher.
        why: who ended it and how, one line; empty where all went well.
        is_death: whether somebody died, and did not end by an exit code of its own.
        has_no_scheduler: whether MXNet's scheduler gave up by itself, soon after its start.
        run: folder and command of the run that worker 0 recorded.
        status: of that run.
    """

    exit_code: int
    why: str = ""
    is_death: bool = True
    has_no_scheduler: bool = False
    run: dict[str, str] | None = None
    status: str | None = None


class Watch:
    """A job's processes.

    Args:
        roles: all of them.
        given: the workers' command.
        ssh: the command that starts another one on a machine.
        idle_seconds: the job has ended when no process has computed for so long; 0 waits for ever.
    """

    def __init__(self, roles: Sequence[Role], given: Sequence[str], ssh: str, idle_seconds: float) -> None:
        self._roles, self._given, self._ssh, self._idle_seconds = roles, given, ssh, idle_seconds
        self._marker = uuid.uuid4().hex[:12]
        self._screen = Screen([role.label for role in roles])
        self._events: queue.SimpleQueue[tuple[AgentLink | None, Any]] = queue.SimpleQueue()
        self._links: list[AgentLink] = []
        self._started = False
        self._met = float("inf")  # when all have
        self._run: dict[str, str] | None = None
        self._interrupted: tuple[int, float] | None = None  # by which signal, when

    def attend(self) -> Outcome:
        """Run the job to its end."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a launcher that stops is lost
        try:
            for role in self._roles:
                tell = lambda link, message: self._events.put((link, message))  # noqa: E731
                try:
                    self._links.append(AgentLink(role, self._marker, self._ssh, self._screen, tell))
                except OSError as error:
                    self._end_agents({"why": None}, ENDING_SECONDS)
                    return self._failure(f"{role}: its agent cannot be started: {error.strerror}")
            return self._finish(self._watch())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> Outcome:
        next_beat = next_look = 0.0
        while True:
            outcome = None
            with suppress(queue.Empty):
                link, message = self._events.get(timeout=LOOK_SECONDS)
                outcome = self._on_interrupt(message) if link is None else self._on_message(link, message)
            if outcome is None and time.monotonic() >= next_look:  # by the clock: many agents leave no pause
                next_look = time.monotonic() + LOOK_SECONDS
                outcome = self._overdue()
            if outcome is None and not self._screen.is_open and self._interrupted is None:
                outcome = self._on_interrupt(signal.SIGTERM)
            if outcome is not None:
                return outcome
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + BEAT_SECONDS
                for link in self._links:
                    link.say("beat")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._events.put((None, number))

    def _on_interrupt(self, number: int) -> Outcome | None:
        """Ask the worker that records the run to end it; the second time wait for nobody."""
        if self._interrupted is not None or not self._started:
            return self._as_interrupted(number)
        self._interrupted = number, time.monotonic()
        self._first_worker().say("signal", number)
        return None

    def _on_message(self, link: AgentLink, message: dict[str, Any] | None) -> Outcome | None:
        if message is None:
            if self._interrupted and link.role.kind != plan.WORKER:
                return None
            return self._failure(f"{link.role}: {link.loss()}")
        if "hello" in message and all(other.port for other in self._links):
            self._start()
        elif "run" in message:
            if link is self._first_worker():
                self._run = message["run"]
            link.say("known")
        elif "recorded" in message and message["recorded"] != journal.COMPLETED:
            if self._interrupted:
                return self._as_interrupted(self._interrupted[0])
            return self._failure(f"{link.role}: its run ended as {message['recorded']}", is_death=False)
        elif "ended" in message:
            return self._on_end(link)
        return None

    def _start(self) -> None:
        """Start all roles: their agents are there."""
        self._started = True
        self._met = time.monotonic() + MEETING_SECONDS
        scheduler = next(link for link in self._links if link.role.kind == plan.SCHEDULER)
        assert scheduler.port is not None
        for link in self._links:
            role = link.role
            of_host = [other for other in self._roles if other.kind == plan.WORKER and other.host == role.host]
            link.say(
                "start",
                {
                    "command": plan.command(role, self._given),
                    "environment": plan.environment(role, self._roles, scheduler.port),
                    "forwarded": {} if role.host.is_local else plan.forwarded(),
                    "folder": os.getcwd() if role.host.is_local else None,  # noqa: PTH109
                    "marker": f"{self._marker}/{role.kind}{role.number}",
                    "place": of_host.index(role) if role in of_host else 0,
                    "workers": max(1, len(of_host)),
                },
            )

    def _on_end(self, link: AgentLink) -> Outcome | None:
        workers = [other for other in self._links if other.role.kind == plan.WORKER]
        if self._interrupted:
            return self._as_interrupted(self._interrupted[0]) if link is self._first_worker() else None
        if link.exit_code != 0 and not all(worker.exit_code == 0 for worker in workers):
            assert link.exit_code is not None
            is_soon = link.role.kind == plan.SCHEDULER and time.monotonic() < self._met
            gave_up = is_soon and link.exit_code in (FAULT, -signal.SIGABRT)
            return Outcome(1, f"{link.role}: {end_in_words(link.exit_code)}", link.exit_code < 0, gave_up)
        return Outcome(0) if all(other.exit_code is not None for other in self._links) else None

    def _overdue(self) -> Outcome | None:
        """What has not happened in its time."""
        now = time.monotonic()
        limit = SILENCE_SECONDS if self._started else START_SECONDS
        if any(link.silent_seconds > limit for link in self._links):  # a machine that is lost takes all of its roles
            silent = [link.role for link in self._links if link.silent_seconds > limit - 3 * BEAT_SECONDS]
            return self._failure(f"{plan.names(silent)}: not heard for {limit:.0f} seconds")
        if self._interrupted:
            number, since = self._interrupted
            return self._as_interrupted(number) if now - since > LAST_WORDS_SECONDS else None
        for link in self._links:
            if link.stopped is not None and now - link.stopped > STOPPED_SECONDS:
                return self._failure(f"{link.role}: stopped for {STOPPED_SECONDS:.0f} seconds, as by SIGSTOP")
            # Others than the job's machines, as a store that is away, are the affair of those who speak to them; and
            # no machine is cut off from itself.
            peers = {role.host.address for role in self._roles} - {link.role.host.address}
            for peer, since in link.unanswered.items():
                if peer in peers and now - since > SILENCE_SECONDS:
                    return self._failure(f"{link.role}: {peer} has not answered it for {SILENCE_SECONDS:.0f} seconds")
        workers = [link for link in self._links if link.role.kind == plan.WORKER]
        living = [worker for worker in workers if worker.exit_code is None]
        all_well = all(worker.exit_code == 0 for worker in workers)  # a failure's message may still wait to be read
        if all_well and now - max(worker.ended for worker in workers) > SERVERS_SECONDS:
            return Outcome(0)  # the servers wait for a word that no worker has said
        for link in self._links:
            if living and link not in workers and link.exit_code is not None and now - link.ended > WORKERS_SECONDS:
                return self._failure(f"{link.role}: ended while {living[0].role} still ran")
        if self._idle_seconds and living and all(now - link.busy > self._idle_seconds for link in self._links):
            return self._failure(f"all processes: none has computed for {self._idle_seconds:.0f} seconds")
        return None

    def _failure(self, why: str, is_death: bool = True) -> Outcome:
        return Outcome(1, why, is_death)

    def _as_interrupted(self, number: int) -> Outcome:
        return Outcome(128 + number, "interrupted" if number == signal.SIGINT else "terminated")

    def _first_worker(self) -> AgentLink:
        return next(link for link in self._links if link.role.kind == plan.WORKER)

    def _finish(self, outcome: Outcome) -> Outcome:
        """End all that is left, mark the run, and look what it says."""
        status = journal.FAILED if outcome.exit_code == 1 else journal.INTERRUPTED
        self._end_agents({"why": outcome.why or None, "status": status})
        first = self._first_worker()
        lost = {link.role.host for link in self._links if not link.finished}
        found = first.status
        for host in {link.role.host for link in self._links if link.role.host.is_local} | lost:
            has_run = host == first.role.host and not first.finished
            folder = self._run["run"] if has_run and self._run else None
            cleared = self._clear(host, folder, outcome.why or None, status)
            found = cleared if has_run else found
        self._screen.end_bar()
        run = self._run if found else None
        if found == journal.COMPLETED and outcome.exit_code == 1:
            return Outcome(0, f"{outcome.why}, after the run was completed", run=run, status=found)
        return replace(outcome, run=run, status=found)

    def _end_agents(self, order: dict[str, str | None], least_seconds: float = 0.0) -> None:
        """Tell all agents to end, and wait for it: for those that have not answered yet, ``least_seconds``."""
        for link in self._links:
            link.say("end", order)
        with ThreadPoolExecutor(max(1, len(self._links))) as pool:
            list(pool.map(lambda link: link.close(ENDING_SECONDS if link.answers else least_seconds), self._links))

    def _clear(self, host: Host, folder: str | None, why: str | None, status: str) -> str | None:
        """Leave nothing of the job on ``host``, if it can be reached; what its run says."""
        clear = {"marker": self._marker, "run": folder, "why": why, "status": status}
        if host.is_local:
            return ending.end(**clear)  # type: ignore[arg-type]
        order = json.dumps({"clear": {**clear, "forwarded": plan.forwarded()}}) + "\n"
        try:
            said = subprocess.run(
                host.agent_command(self._ssh, None),
                input=order.encode(),
                capture_output=True,
                timeout=CLEARING_SECONDS,
                check=False,
            ).stdout.splitlines()
        except (subprocess.TimeoutExpired, OSError):
            return UNKNOWN  # cut off; the agents there end their roles by themselves
        answers = [json.loads(line) for line in said if line.startswith(b'{"finished"')]
        return answers[0]["finished"] if answers else UNKNOWN
