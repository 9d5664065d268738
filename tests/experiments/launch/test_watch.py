"""What the launcher concludes from what its agents say."""

import itertools
import shlex
import subprocess
import sys
import threading
import time

import pytest

from experiments import ROOT
from experiments.launch import hosts, job, watch


class Link:
    """What the launcher knows of one agent."""

    def __init__(self, role):
        self.role = role
        self.port = 1
        self.exit_code = self.stopped = None
        self.unanswered = {}
        self.busy = time.monotonic()
        self.silent_seconds = 0.0

    def say(self, kind, content=None):
        pass


def watching(machines, workers, servers=1):
    return watch.Watch(job.roles(machines, servers, workers), ["python"], "ssh", 0)


def test_many_agents_leave_no_pause_and_one_of_them_is_stopped():
    """Sixty beats a second, so no event is awaited for long; what is overdue is seen all the same."""
    own = watching([hosts.Host()], workers=59, servers=1)
    own._links = [Link(role) for role in own._roles]
    stop = time.monotonic()
    own._links[-1].stopped = stop - watch.STOPPED_SECONDS + 1.0
    thread = threading.Thread(target=steady, args=(own, stop + 6), daemon=True)
    thread.start()
    assert own._watch().why == "worker 58: stopped for 10 seconds, as by SIGSTOP"
    assert time.monotonic() - stop < 3


def steady(own, end):
    """The beats of sixty agents at even distances, as those of agents on many machines lie."""
    links = itertools.cycle(own._links)
    while time.monotonic() < end:
        own._events.put((next(links), {"beat": {}}))
        time.sleep(1 / 60)


@pytest.mark.parametrize(
    ("peer", "why"),
    [
        ("10.9.9.9", None),  # a store that is away
        ("127.0.0.8", None),  # another server on its own machine
        ("127.0.0.9", "worker 0 on 127.0.0.8: 127.0.0.9 has not answered it for 12 seconds"),
    ],
)
def test_only_peers_of_the_job_count(peer, why):
    own = watching([hosts.Host("127.0.0.8", "127.0.0.8"), hosts.Host("127.0.0.9", "127.0.0.9")], workers=2)
    own._links = [Link(role) for role in own._roles]
    own._first_worker().unanswered = {peer: time.monotonic() - 60}
    outcome = own._overdue()
    assert (outcome.why if outcome else None) == why


def test_a_failed_worker_is_not_taken_for_a_good_end():
    """Its message may still wait among many when the time for the servers' end is over."""
    own = watching([hosts.Host()], workers=1)
    own._links = [Link(role) for role in own._roles]
    first = own._first_worker()
    first.exit_code, first.ended = 1, time.monotonic() - 60
    assert own._overdue() is None
    first.exit_code = 0
    assert own._overdue() == watch.Outcome(0)


@pytest.mark.parametrize(
    ("number", "exit_code", "seconds", "gave_up"),
    [
        (0, 1, 5, True),
        (0, -6, 5, True),
        (0, 1, watch.MEETING_SECONDS + 5, False),
        (0, 127, 5, False),  # there is no such program
        (0, -9, 5, False),
        (-1, 1, 5, False),  # a worker
    ],
)
def test_a_scheduler_that_gives_up(number, exit_code, seconds, gave_up):
    own = watching([hosts.Host()], workers=1)
    own._links = [Link(role) for role in own._roles]
    own._start()
    own._met -= seconds
    own._links[number].exit_code = exit_code
    assert own._on_end(own._links[number]).has_no_scheduler is gave_up


def test_agents_that_were_started_are_ended_when_one_cannot_be(launch, tmp_path):
    """The program that starts agents elsewhere is there, but is none."""
    program = tmp_path / "ssh"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o700)
    (tmp_path / "hosts").write_text("localhost\n127.0.0.9\n")
    own = launch("--hosts", str(tmp_path / "hosts"), "--ssh", str(program), "--", "python", "-c", "")
    assert own.wait(30) == 1  # nothing is left
    assert own.lines == ["launch: worker 1 on 127.0.0.9: its agent cannot be started: Exec format error"]


@pytest.mark.parametrize(
    ("ssh", "message"),
    [
        ("nosuchssh -x", "error: --ssh nosuchssh -x: nosuchssh is no program on this machine"),
        ("ssh -i 'x", "error: --ssh ssh -i 'x: not a command line: No closing quotation"),
        ("", "error: --ssh: an empty command; it starts a command on another machine, as ssh does"),
    ],
)
def test_mistakes_in_the_ssh_command_are_one_line(launch, tmp_path, ssh, message):
    (tmp_path / "hosts").write_text("127.0.0.9\n")
    own = launch("--hosts", str(tmp_path / "hosts"), "--ssh", ssh, "--", "python", "-c", "")
    assert own.wait(30) == 1
    assert own.lines == [message]


def test_who_clears_a_machine_is_told_the_store(monkeypatch, tmp_path):
    """As who starts a role there: the run's end is brought to the store."""
    python = tmp_path / "python"
    code = """
import os
from experiments.launch import agent, ending
ending.end = lambda **_: os.environ.get("SACRED_MONGO_URL")
agent.Agent().attend()
"""
    python.write_text(f"#!/bin/sh\nunset SACRED_MONGO_URL\nexec {sys.executable} -c {shlex.quote(code)}\n")
    python.chmod(0o700)
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec sh -c "$1"\n')
    ssh.chmod(0o700)
    monkeypatch.setenv("SACRED_MONGO_URL", "mongodb://store")
    far = hosts.Host("127.0.0.9", "127.0.0.9", python=str(python))
    own = watch.Watch(job.roles([far], 1, 1), ["python"], str(ssh), 0)
    assert own._clear(far, None, None, "FAILED") == "mongodb://store"


# The first process of a namespace is not killed from within, as one that hangs in the kernel is not.
UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
CANNOT_UNSHARE = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode != 0


@pytest.mark.skipif(CANNOT_UNSHARE, reason="unshare is not allowed here")
def test_who_cannot_be_killed_is_named():
    child = "from experiments.launch import ending; ending.kill('J', 0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    command = [*UNSHARE, "env", "EXPERIMENTS_JOB=J", sys.executable, "-c", parent]
    said = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=30).stderr
    assert said.startswith("launch: ")
    assert said.endswith(": still there 0.5 s after SIGKILL: 1\n")
