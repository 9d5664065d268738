"""``python experiments/run.py`` in every worker of a job, held against one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

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


def metrics_of(run):
    return {(entry["name"], entry["step"]): entry["value"] for entry in map(json.loads, open(run / "metrics.jsonl"))}


def parameters_of(run):
    found = mx.nd.load(str(run / "checkpoints" / "last" / "net.params"))
    return {name: own.asnumpy() for name, own in found.items() if not name.endswith("score.bias")}


def test_two_workers_do_as_one(one, tmp_path, run_job):
    done = run_job("experiments/run.py", "-u", *settings(one, tmp_path))
    assert [code for code, _ in done] == [0, 0], done
    same, own = parameters_of(run_of(one)), parameters_of(run_of(tmp_path))
    assert max(np.abs(own[name] - same[name]).max() / np.abs(same[name]).max() for name in same) < 1e-5
