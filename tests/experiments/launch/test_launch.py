"""Jobs on this machine: from start to end, and every way in which one ends before."""

import os
import signal
import subprocess
import sys

import pytest

from experiments import ROOT
from experiments.journal import Journal


def test_a_job_from_start_to_end(launch, adding):
    """Every process's output is labelled, and a bar comes in its last state alone."""
    own = launch("--workers", "2", "--", "python", adding, "20")
    assert own.wait() == 0, own.said
    for rank in (0, 1):
        assert [line for line in own.lines if line.startswith(f"[worker {rank} ")] == [
            f"[worker {rank} ] worker {rank} adds",
            f"[worker {rank} ] step 19",
            f"[worker {rank} ] added",
        ]
    assert own.endings == []


@pytest.mark.parametrize("victim", ["worker1", "server0", "scheduler0"])
def test_who_died_is_said_and_all_end(launch, adding, tmp_path, victim):
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path), ALONE="1")
    own.wait_for("worker 0 adds")
    os.kill(own.role(victim), signal.SIGKILL)
    assert own.wait(30) == 1
    label = "scheduler" if victim == "scheduler0" else f"{victim[:-1]} {victim[-1]}"
    (line,) = own.endings
    assert line.startswith(f"launch: {label}: killed by signal 9 (SIGKILL); run 1 is FAILED; go on by: python -m exper")
    assert line.endswith("with resume=1")
    state = Journal(tmp_path / "1").read("state")
    assert (state["status"], state["fail_trace"]) == ("FAILED", [f"{label}: killed by signal 9 (SIGKILL)"])
    assert state["wall_seconds"] > 0


def test_ctrl_c_ends_all_of_them(launch, adding, tmp_path):
    """The run's own worker is asked, and records it."""
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path), ALONE="1")
    own.wait_for("worker 0 adds")
    own.process.send_signal(signal.SIGINT)
    assert own.wait(10) == 130
    assert own.endings[0].startswith("launch: interrupted; run 1 is INTERRUPTED; go on by:")
    state = Journal(tmp_path / "1").read("state")
    assert (state["status"], "died" in state) == ("INTERRUPTED", False)


def test_nothing_outlives_a_launcher_that_was_killed(launch, adding, tmp_path, machine):
    own = launch("--workers", "2", "--", "python", adding, "2000", str(tmp_path), ALONE="1")
    own.wait_for("worker 0 adds")
    own.process.kill()
    machine.wait_until(lambda: not own.all())
    assert Journal(tmp_path / "1").read("state")["fail_trace"] == ["the launcher ended"]


def test_it_starts_again_with_the_run_that_it_had_begun(launch, adding, tmp_path):
    words = ("--workers", "2", "--restarts", "1", "--", "python", adding, "20", str(tmp_path), "with", "x=1")
    own = launch(*words, ALONE="1")
    own.wait_for("worker 0 adds")
    os.kill(own.role("worker0"), signal.SIGKILL)
    assert own.wait(60) == 0, own.said
    assert own.endings == [
        "launch: worker 0: killed by signal 9 (SIGKILL); run 1 is FAILED; starting again, 1 of 1",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    state = Journal(tmp_path / "1").read("state")
    assert (state["status"], state["begun"]) == ("COMPLETED", 2)


PORT_TAKEN = """
import os, pathlib, socket
taken = pathlib.Path({file!r})
if os.environ.get("DMLC_ROLE") == "scheduler" and not taken.exists():
    taken.touch()
    listening = socket.create_server(("127.0.0.1", int(os.environ["DMLC_PS_ROOT_PORT"])))
"""


def test_a_scheduler_whose_port_is_taken_gets_another(launch, adding, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(PORT_TAKEN.format(file=str(tmp_path / "taken")))
    words = ("--workers", "2", "--", "python", adding, "2", str(tmp_path / "runs"), "with", "x=1")
    own = launch(*words, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert own.wait(60) == 0, own.said
    assert "bind failed" in own.said
    (ending,) = own.endings
    assert ending.startswith("launch: scheduler: ended with exit code 1; ")
    assert ending.endswith("; starting again, with another port")


def test_a_mistake_of_the_command_is_not_started_again(launch):
    own = launch("--restarts", "3", "--", "python", "-c", "raise SystemExit(3)")
    assert own.wait(30) == 1
    assert own.endings[0] in [f"launch: worker {rank}: ended with exit code 3" for rank in (0, 1)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "error: launch: no command; put it behind --"),
        (["--workers", "0", "--", "true"], "error: --workers 0: it must be at least 1"),
        (["--hosts", "nowhere.txt", "--", "true"], "error: hosts: nowhere.txt cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_line(words, message):
    done = subprocess.run([sys.executable, "-m", "experiments.launch", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
