"""Workers of a job, whose losses, parameters and metrics are held against one process's."""

import json
from pathlib import Path

import numpy as np
import pytest

from datasets import synthetic

WORKER = Path(__file__).with_name("training_worker.py")
SHAPE = synthetic.Shape({"rgb": 24, "audio": 8}, np.ones(6), 1.5, 4, 9)
CLUSTER, LSTM = "attention_cluster_youtube8m", "attention_lstm_youtube8m"
pytestmark = pytest.mark.long


@pytest.fixture
def train(tmp_path, run_job):
    """Trains in a job; the parameters of every worker, and the losses that the first one logged."""
    for split, videos in (("train", 74), ("validate", 21)):  # batches of 8, the last of 2: three workers have 0, 1, 1
        synthetic.write_split(tmp_path / "data", SHAPE, split, videos, seed=0)

    def train(name, workers, kvstore="dist_sync", servers=1, **given):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        words = json.dumps({"folder": str(tmp_path / "data"), "place": str(place), "kvstore": kvstore, **given})
        done = run_job(WORKER, words, workers=workers, servers=servers)
        assert [code for code, _ in done] == workers * [0], done
        losses = {int(step): loss for step, loss in json.loads((place / "0.json").read_text()).items()}
        return [dict(np.load(place / f"{number}.npz")) for number in range(workers)], losses

    return train


def distance(one, other):
    assert one.keys() == other.keys()
    return max(np.abs(one[name] - other[name]).max() / np.abs(one[name]).max() for name in one)


@pytest.mark.parametrize("experiment", [CLUSTER, LSTM])
def test_fifty_steps_are_those_of_one(train, experiment):
    (one,), losses = train("one", 1, experiment=experiment)
    for workers, servers in ((2, 1), (3, 2)):
        several, own_losses = train(str(workers), workers, servers=servers, experiment=experiment)
        assert max(own_losses) == 50
        assert own_losses == pytest.approx(losses, rel=1e-5)
        for own in several:
            assert distance(one, own) < 1e-5
            assert distance(several[0], own) == 0


def test_a_job_goes_on_where_another_stopped(train):
    """Only the first worker has the checkpoint; Adam's means and its count of steps come from there."""
    (whole, _), _ = train("whole", 2, experiment=CLUSTER)
    train("parts", 2, experiment=CLUSTER, changes={"epochs": 3})
    rest, losses = train("parts", 3, experiment=CLUSTER)
    assert min(losses) == 35
    for own in rest:
        assert distance(whole, own) < 1e-5


def test_gradients_go_compressed(train):
    changes = {"optimizer": "sgd", "optimizer_params": {}, "learning_rate": 0.2}
    compression = {"type": "2bit", "threshold": 0.5}
    (plain, _), _ = train("plain", 2, experiment=CLUSTER, changes=changes)
    small, losses = train("small", 2, experiment=CLUSTER, changes=changes, compression=compression)
    assert distance(small[0], small[1]) == 0
    assert distance(plain, small[0]) > 1e-3
    assert losses[50] < 0.9 * losses[5]


def test_without_waiting_for_each_other(train, tmp_path):
    """dist_async: the loss falls; what a checkpoint has is enough to go on with."""
    _, losses = train("run", 2, "dist_async", experiment=CLUSTER, changes={"learning_rate": 0.01})
    assert losses[50] < 0.8 * losses[5]
    assert not (tmp_path / "run" / "checkpoints" / "last" / "trainer.states").exists()
    _, rest = train("run", 2, "dist_async", experiment=CLUSTER, changes={"learning_rate": 0.01, "epochs": 6})
    assert min(rest) == 55
    assert rest[60] < losses[5]


def test_the_servers_know_the_rate_and_what_is_exempt(train, tmp_path):
    """dist_async with a rate that is nothing from epoch 3 on; and with decay of nearly all that is not exempt."""
    changes = {"optimizer": "sgd", "optimizer_params": {}, "lr_decay_epochs": [2], "lr_decay_factor": 1e-30}
    short, _ = train("short", 1, "dist_async", experiment=CLUSTER, changes={**changes, "epochs": 2})
    long, _ = train("long", 1, "dist_async", experiment=CLUSTER, changes={**changes, "epochs": 4})
    assert distance(short[0], long[0]) == 0
    changes = {"optimizer": "sgd", "optimizer_params": {}, "weight_decay": 50.0, "learning_rate": 0.01, "epochs": 2}
    exempt = {"weight_decay_exempt": ["classifier.*"]}
    (decayed,), _ = train("decayed", 1, "dist_async", experiment=CLUSTER, changes=changes)
    (kept,), _ = train("kept", 1, "dist_async", experiment=CLUSTER, changes={**changes, **exempt})
    assert np.abs(kept["classifier.weight"]).max() > 10 * np.abs(decayed["classifier.weight"]).max()
