"""Real training as a job: against one process, and against one that nobody disturbed."""

import os
import signal
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest

from experiments import ROOT
from experiments.journal import Journal

pytestmark = pytest.mark.long
WORDS = ["with", "smoke", "dropout=0.0", "batch_size=8", "log_interval=1", "seed=1"]  # 4 steps an epoch


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A run of one process, 52 steps, beside the data that all take."""
    folder = tmp_path_factory.mktemp("one")
    command = [sys.executable, "experiments/run.py", *words(folder, folder, 13)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    return folder


def words(data, folder, epochs, *more):
    return [*WORDS, f"epochs={epochs}", f"runtime.data_root={data}/data", f"runtime.runs_dir={folder}/runs", *more]


def job(data, folder, epochs, *more):
    return ["--", "python", "experiments/run.py", *words(data, folder, epochs, "runtime.kvstore=dist_sync", *more)]


def parameters(folder):
    return {name: own.asnumpy() for name, own in mx.nd.load(f"{folder}/runs/1/checkpoints/last/net.params").items()}


def steps(folder):
    return len(Journal(folder / "runs" / "1").curves().get("train.loss", {}))


@pytest.mark.parametrize(("workers", "servers"), [(2, 1), (3, 2)])
def test_workers_do_as_one_process_does(launch, data, tmp_path, workers, servers):
    own = launch("--workers", str(workers), "--servers", str(servers), *job(data, tmp_path, 13))
    assert own.wait(180) == 0, own.said
    assert steps(tmp_path) == steps(data) == 52
    one, several = parameters(data), parameters(tmp_path)
    # The score's bias alone is left out: softmax does not feel a common shift, and Adam makes steps of its noise.
    for name in one:
        if not name.endswith("score.bias"):
            assert np.abs(several[name] - one[name]).max() < 1e-5 * np.abs(one[name]).max(), name


def test_restarts_end_where_an_undisturbed_job_does(launch, data, tmp_path, machine):
    """Three deaths, within epochs; one record, each step once, and the same parameters to the last bit."""
    whole, disturbed = tmp_path / "whole", tmp_path / "disturbed"
    assert launch(*job(data, whole, 30)).wait(180) == 0
    own = launch("--restarts", "3", *job(data, disturbed, 30, "runtime.save_seconds=0.1"))
    for victim in ("worker1", "server0", "worker0"):
        before = len(own.endings)
        done = steps(disturbed)
        machine.wait_until(lambda done=done: done + 20 < steps(disturbed) < 100, seconds=60)
        os.kill(own.role(victim), signal.SIGKILL)
        machine.wait_until(lambda before=before: len(own.endings) > before, seconds=30)
    assert own.wait(180) == 0, own.said
    assert [path.name for path in (disturbed / "runs").iterdir() if path.name.isdigit()] == ["1"]
    record = Journal(disturbed / "runs" / "1")
    assert record.read("state")["status"] == "COMPLETED"
    assert len(record.read("state")["parts"]) == 4
    assert record.curves()["train.loss"] == Journal(whole / "runs" / "1").curves()["train.loss"]
    one, other = parameters(whole), parameters(disturbed)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_ctrl_c_and_on_again(launch, data, tmp_path, machine):
    own = launch(*job(data, tmp_path, 200))
    machine.wait_until(lambda: steps(tmp_path) > 20, seconds=60)
    own.process.send_signal(signal.SIGINT)
    assert own.wait(30) == 130
    assert own.endings[0].startswith(
        "launch: interrupted; run 1 is INTERRUPTED; go on by: python -m experiments.launch"
    )
    done = steps(tmp_path)
    command = own.endings[0].partition("-m experiments.launch ")[2].split()
    again = launch(*command, f"epochs={done // 4 + 3}")
    assert again.wait(120) == 0, again.said
    assert Journal(tmp_path / "runs" / "1").read("state")["status"] == "COMPLETED"
    assert steps(tmp_path) == 4 * (done // 4 + 3)


def test_the_worker_that_does_not_record_fails(launch, data, tmp_path, machine):
    """It leaves without waiting for the others, and its own exit code is what is said."""
    own = launch(*job(data, tmp_path, 2000))
    machine.wait_until(lambda: steps(tmp_path) > 5, seconds=60)
    os.kill(own.role("worker1"), signal.SIGINT)
    assert own.wait(30) == 1
    assert own.endings[0].startswith("launch: worker 1: ")
    assert "run 1 is FAILED" in own.endings[0]
    print(own.said)
