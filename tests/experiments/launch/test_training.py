"""Real training as a job: against one process, and against one that nobody disturbed."""

import os
import signal

import mxnet as mx
import numpy as np
import pytest

from experiments.journal import Journal

pytestmark = pytest.mark.long


def parameters(folder):
    found = mx.nd.load(f"{folder}/runs/1/checkpoints/last/net.params")
    return {name: own.asnumpy() for name, own in found.items()}


def steps(folder):
    return len(Journal(folder / "runs" / "1").curves().get("train.loss", {}))


@pytest.mark.parametrize(("workers", "servers"), [(2, 1), (3, 2)])
def test_workers_do_as_one_process_does(launch, training, one_process, tmp_path, workers, servers):
    own = launch("--workers", str(workers), "--servers", str(servers), *training(tmp_path, "epochs=13"))
    assert own.wait(180) == 0, own.said
    assert steps(tmp_path) == steps(one_process) == 52
    one, several = parameters(one_process), parameters(tmp_path)
    # The score's bias alone is left out: softmax does not feel a common shift, and Adam makes steps of its noise.
    for name in one:
        if not name.endswith("score.bias"):
            assert np.abs(several[name] - one[name]).max() < 1e-5 * np.abs(one[name]).max(), name


def test_restarts_end_where_an_undisturbed_job_does(launch, training, tmp_path, machine):
    """Three deaths, within epochs; one record, each step once, and the same parameters to the last bit."""
    whole, disturbed = tmp_path / "whole", tmp_path / "disturbed"
    assert launch(*training(whole, "epochs=30")).wait(180) == 0
    own = launch("--restarts", "3", *training(disturbed, "epochs=30", "runtime.save_seconds=0.1"))
    for number, victim in enumerate(("worker1", "server0", "worker0"), start=1):
        done = steps(disturbed)
        machine.wait_until(lambda done=done: done + 20 < steps(disturbed) < 100, seconds=60)
        os.kill(own.role(victim), signal.SIGKILL)
        machine.wait_until(lambda number=number: len(own.endings) == number, seconds=30)
    assert own.wait(180) == 0, own.said
    assert [path.name for path in (disturbed / "runs").iterdir() if path.name.isdigit()] == ["1"]
    record = Journal(disturbed / "runs" / "1")
    assert record.read("state")["status"] == "COMPLETED"
    assert len(record.read("state")["parts"]) == 4
    assert record.curves()["train.loss"] == Journal(whole / "runs" / "1").curves()["train.loss"]
    one, other = parameters(whole), parameters(disturbed)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_ctrl_c_and_on_again(launch, training, tmp_path, machine):
    own = launch(*training(tmp_path, "epochs=200"))
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


def test_the_worker_that_does_not_record_fails(launch, training, tmp_path, machine):
    """It leaves without waiting for the others, and its own exit code is what is said."""
    own = launch(*training(tmp_path, "epochs=2000"))
    machine.wait_until(lambda: steps(tmp_path) > 5, seconds=60)
    os.kill(own.role("worker1"), signal.SIGINT)
    assert own.wait(30) == 1
    assert own.endings[0].startswith("launch: worker 1: ended with exit code 130; run 1 is FAILED; go on by: ")


def test_the_store_hears_of_a_death(launch, training, tmp_path, machine, server):
    own = launch(*training(tmp_path, "epochs=2000", f"runtime.mongo={server.address}"))
    machine.wait_until(lambda: steps(tmp_path) > 5, seconds=60)
    os.kill(own.role("worker0"), signal.SIGKILL)
    assert own.wait(30) == 1
    record = server.database()["runs"].find_one({"_id": 1})
    assert record["status"] == "FAILED"
    assert record["fail_trace"] == ["worker 0: killed by signal 9 (SIGKILL)"]
    assert record["info"]["died"] == "worker 0: killed by signal 9 (SIGKILL)"
