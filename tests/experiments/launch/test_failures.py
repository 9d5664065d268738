"""Ways of dying that take their time to be noticed."""

import os
import signal
import sys
import time

import pytest

from experiments.journal import Journal, journals
from experiments.launch import MARKER
from tests.experiments.launch.conftest import environment

pytestmark = pytest.mark.long


def test_a_worker_that_is_stopped_for_a_minute(launch, adding, tmp_path):
    own = launch("--workers", "3", "--", "python", adding, "2000", str(tmp_path))
    own.wait_for("worker 2 adds")
    os.kill(own.role("worker2"), signal.SIGSTOP)
    assert own.wait(30) == 1, own.said
    assert own.endings[0].startswith("launch: worker 2: stopped for 10 seconds, as by SIGSTOP; run 1 is FAILED")


def test_a_worker_that_is_stopped_for_a_moment(launch, adding, tmp_path):
    own = launch("--workers", "2", "--", "python", adding, "200", str(tmp_path))
    own.wait_for("worker 1 adds")
    pid = own.role("worker1")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(pid, signal.SIGCONT)
    assert own.wait(60) == 0, own.said


def test_workers_that_wait_for_each_other_for_ever(launch, adding, tmp_path):
    """MXNet's workers leave together: one that fails waits for the others, and they for its next gradient."""
    words = ("--idle-seconds", "15", "--workers", "2", "--", "python", adding, "2000", str(tmp_path))
    own = launch(*words, FAIL_AT="1 3")
    assert own.wait(60) == 1, own.said
    assert own.endings[0].startswith("launch: all processes: none has computed for 15 seconds; run 1 is FAILED")


def test_the_first_worker_fails_and_has_recorded_it(launch, adding, tmp_path):
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path), FAIL_AT="0 3")
    assert own.wait(30) == 1, own.said
    assert own.endings[0].startswith("launch: worker 0: its run ended as FAILED; run 1 is FAILED; go on by:")
    assert "died" not in Journal(tmp_path / "1").read("state")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSTOP])
def test_an_agent_is_lost(launch, adding, tmp_path, kind):
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path))
    own.wait_for("worker 1 adds")
    os.kill(own.agent_of("worker0"), kind)
    assert own.wait(30) == 1, own.said
    how = "its agent killed by signal 9 (SIGKILL)" if kind == signal.SIGKILL else "not heard for 12 seconds"
    assert own.endings[0].startswith(f"launch: worker 0: {how}; run 1 is FAILED")


def test_an_agent_is_lost_before_the_run_begins(launch, adding, tmp_path, machine):
    """What the launcher does not know of is not begun."""
    own = launch("--workers", "1", "--", "python", adding, "2000", str(tmp_path), ALONE="1")
    machine.wait_until(lambda: any(environment(pid).get(MARKER, "").endswith("/worker0") for pid in own.all()))
    os.kill(own.agent_of("worker0"), signal.SIGSTOP)
    assert own.wait(30) == 1
    assert own.endings == ["launch: worker 0: not heard for 12 seconds"]
    assert not list(journals(tmp_path))


def test_nobody_reads_what_is_printed(launch, adding, tmp_path):
    """A pager that waits holds the output up, and the job is not taken for dead."""
    own = launch("--workers", "1", "--", "python", "-c", "for _ in range(20000): print('x' * 200)")
    own.reading.clear()
    time.sleep(20)
    assert own.process.poll() is None
    own.reading.set()
    assert own.wait(60) == 0, own.said[-1000:]
    assert sum("xxx" in line for line in own.lines) == 20000


def test_somebody_stops_reading(launch, adding, tmp_path):
    """As behind ``| head``: the job ends, as other programs do."""
    shell = ("bash", "-c", f'"$0" -m experiments.launch "$@" 2> {tmp_path}/stderr | head -1', sys.executable)
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path), launch=shell, ALONE="1")
    own.wait(30)
    assert (tmp_path / "stderr").read_text().startswith("launch: terminated; run 1 is ")
