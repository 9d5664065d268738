"""``python experiments/run.py`` in every worker of a job, held against one process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from experiments.journal import Journal

ROOT = Path(__file__).parents[3]
# Batches of 7 for two workers: one has 3 videos, the other 4; the last of 48 has 6.
WORDS = ["with", "smoke", "dropout=0.0", "batch_size=7", "epochs=2", "log_interval=3"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A run of one process, whose data the others take."""
    folder = tmp_path_factory.mktemp("one")
    words = [sys.executable, "experiments/run.py", "-u", *settings(folder, folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True)
    return folder


def settings(folder, own, *words):
    places = [f"runtime.data_root={folder / 'data'}", f"runtime.runs_dir={own / 'runs'}"]
    return [*WORDS, *words, *places]


def run_of(folder):
    (run,) = (path for path in (folder / "runs").iterdir() if (path / "checkpoints").exists())
    return run


def parameters_of(run):
    found = mx.nd.load(str(run / "checkpoints" / "last" / "net.params"))
    return {name: own.asnumpy() for name, own in found.items() if not name.endswith("score.bias")}


def test_two_workers_do_as_one(one, tmp_path, run_job):
    done = run_job("experiments/run.py", "-u", *settings(one, tmp_path))
    assert [code for code, _ in done] == [0, 0], done
    same, own = parameters_of(run_of(one)), parameters_of(run_of(tmp_path))
    assert max(np.abs(own[name] - same[name]).max() / np.abs(same[name]).max() for name in same) < 1e-5
    expected, found = (Journal(run_of(folder) / "checkpoints" / "last").read("progress") for folder in (one, tmp_path))
    assert found["metrics"] == pytest.approx(expected["metrics"], abs=1e-6)
    assert "videos/s" in done[0][1]  # the first one's bar
    assert done[1][1] == ""


@pytest.mark.long
def test_one_record_of_a_job_that_is_gone_on_with(one, tmp_path, run_job, runs_dir):
    """The run is the first worker's; the others have neither its folder nor another."""
    places = settings(one, tmp_path)[-2:]
    for words in (settings(one, tmp_path, "epochs=1"), ["with", "resume=1", "epochs=2", *places]):
        done = run_job("experiments/run.py", *words)
        assert [code for code, _ in done] == [0, 0], done
    run = Journal(run_of(tmp_path))
    assert [path.name for path in runs_dir.iterdir() if path.is_dir() and path.name.isdigit()] == ["1"]
    assert run.read("state")["status"] == "COMPLETED"
    same, own = parameters_of(run_of(one)), parameters_of(run.folder)
    assert max(np.abs(own[name] - same[name]).max() / np.abs(same[name]).max() for name in same) < 1e-5
    assert set(run.curves()["train.loss"]) == {3, 5, 8, 10}
    done = run_job("experiments/run.py", "evaluate", "with", "weights=1", *places)
    assert [code for code, _ in done] == [0, 0], done
    evaluated = {name: curve[0] for name, curve in Journal(runs_dir / "2").curves().items()}
    assert evaluated == {name: curve[10] for name, curve in run.curves().items() if name.startswith("validate.")}


@pytest.mark.long
def test_a_worker_that_fails_ends_and_says_why(one, tmp_path, run_job):
    done = run_job("experiments/run.py", "-u", *settings(one, tmp_path, "optimizer=sgd", "learning_rate=1e38"))
    assert [code for code, _ in done] == [1, 1], done
    for number, (_, text) in enumerate(done):
        who = f"worker {number}: " if number else ""
        assert re.search(f"^Mistake: {who}training: the loss is (nan|inf) at step", text, re.MULTILINE)
        assert "Traceback" not in text


def test_other_commands_are_the_first_ones(monkeypatch):
    """A worker that is not the first has no part in them, and waits for nobody."""
    environment = {**os.environ, "EXPERIMENTS_WORKER": "1", "EXPERIMENTS_WORKERS": "2"}
    for words in (["print_config"], ["help", "train"], ["train", "--help"]):
        command = [sys.executable, "experiments/run.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("", "")
