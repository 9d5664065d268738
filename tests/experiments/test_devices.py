"""Several devices do as one; what cannot be is said in one line."""

from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest

from datasets import synthetic
from datasets.loader import Loader
from datasets.video_dataset import VideoDataset
from experiments import configuration, devices, registry, training
from experiments.checkpoint import Checkpoints
from experiments.collective import Collective
from experiments.errors import UserError
from gluon_models import zoo
from gluon_models.dequantize import Dequantized

SHAPE = synthetic.Shape({"rgb": 24, "audio": 8}, np.ones(6), 1.5, 4, 9)
VIDEOS, BATCH = 74, 8  # ten batches, the last one of 2
SIZES = {
    "attention_cluster_youtube8m": {
        "cluster_nums": 2, "attention": "fc1", "shifting": True, "hidden_units": [16], "dropout": 0.0
    },
    "attention_lstm_youtube8m": {"embedding_size": 6, "lstm_size": 5, "hidden_units": [8, 7], "dropout": 0.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_split(folder, SHAPE, "train", VIDEOS, seed=0)
    synthetic.write_split(folder, SHAPE, "validate", 21, seed=0)
    return folder


class Session:
    """A training of the entry ``experiment``, its sizes made small."""

    def __init__(self, folder, place, experiment, contexts, epochs=5, job=None, at_once=None, **changes):
        entry = registry.load(experiment)
        job = job or Collective("device")
        train = VideoDataset.open(folder, "train")
        self.model = zoo.create(
            entry.model["name"], feature_dims=train.feature_dims, num_classes=train.num_classes, **SIZES[experiment]
        )
        mx.random.seed(job.rank)  # what the first worker begins with counts
        self.model.initialize(ctx=contexts)
        self.net = Dequantized(self.model, train.ranges)
        self.net.hybridize(static_alloc=True, static_shape=True)
        self.losses = {}
        recipe = replace(entry.training, epochs=epochs, log_interval=5, valid_interval=epochs, **changes)
        share = (job.rank, job.workers)
        self.metrics = training.fit(
            self.net, Loader(train, BATCH, entry.data.seg_num, training=True, share=share), validation(folder),
            recipe, contexts, Checkpoints(place, self.model),
            lambda name, value, step: self.losses.update({step: value} if name == "train.loss" else {}), 0, job,
            at_once,
        )  # fmt: skip

    def parameters(self, number=0):
        """But for biases that cancel in a softmax: their gradients are rounding alone, which Adam makes whole steps."""
        found = self.model._collect_params_with_prefix()
        return {
            name: own.data(own.list_ctx()[number]).asnumpy()
            for name, own in found.items()
            if not name.endswith("score.bias")
        }


def validation(folder):
    """Six batches of 4 videos at most, the last of one."""
    return Loader(VideoDataset.open(folder, "validate"), 4, None, training=False)


def distance(one, other):
    """The largest difference of a parameter, in its own largest value."""
    assert one.keys() == other.keys()
    return max(np.abs(one[name] - other[name]).max() / np.abs(one[name]).max() for name in one)


@pytest.mark.parametrize("experiment", list(SIZES))
def test_fifty_steps_on_several_devices_are_those_of_one(folder, tmp_path, experiment):
    one = Session(folder, tmp_path / "one", experiment, [mx.cpu(0)])
    assert max(one.losses) == 50
    for count in (2, 3):  # three devices have no video each in a batch of 2
        several = Session(folder, tmp_path / str(count), experiment, [mx.cpu(number) for number in range(count)])
        assert several.losses == pytest.approx(one.losses, rel=1e-6)
        for number in range(count):
            assert distance(one.parameters(), several.parameters(number)) < 1e-6


@pytest.mark.parametrize("experiment", list(SIZES))
def test_a_batch_may_be_computed_in_pieces(folder, tmp_path, experiment):
    """Their gradients add up to the whole batch's; on two devices too, and where a batch is a single piece."""
    whole = Session(folder, tmp_path / "whole", experiment, [mx.cpu(0)])
    for contexts, at_once in (([mx.cpu(0)], 3), ([mx.cpu(0), mx.cpu(1)], 1), ([mx.cpu(0)], 8)):
        place = tmp_path / f"{len(contexts)} {at_once}"
        pieces = Session(folder, place, experiment, contexts, at_once=at_once)
        assert pieces.losses == pytest.approx(whole.losses, rel=1e-6)
        assert distance(whole.parameters(), pieces.parameters()) < 1e-6


@pytest.mark.parametrize("optimizer", ["sgd", "nag"])
def test_so_it_is_with_momentum(folder, tmp_path, optimizer):
    changes = {"optimizer": optimizer, "optimizer_params": {"momentum": 0.9}, "learning_rate": 0.05, "epochs": 2}
    experiment = "attention_cluster_youtube8m"
    one, two = (
        Session(folder, tmp_path / str(count), experiment, [mx.cpu(number) for number in range(count)], **changes)
        for count in (1, 2)
    )
    assert distance(one.parameters(), two.parameters(1)) < 1e-6


def test_metrics_are_the_same_to_the_last_bit(folder, tmp_path):
    one = Session(folder, tmp_path, "attention_lstm_youtube8m", [mx.cpu(0)], epochs=1)
    for count in (2, 3, 7):
        several = [mx.cpu(number) for number in range(count)]
        one.model.collect_params().reset_ctx(several)
        assert training.evaluate(one.net, validation(folder), "sigmoid_cross_entropy", several) == one.metrics


def test_a_checkpoint_goes_on_with_other_devices(folder, tmp_path):
    """Adam counts its steps by device: a device that is new then must not begin at the first."""
    experiment, two = "attention_cluster_youtube8m", [mx.cpu(0), mx.cpu(1)]
    whole = Session(folder, tmp_path / "whole", experiment, [mx.cpu(0)], epochs=3)
    for number, (before, after) in enumerate(((two[:1], two), (two, two[1:]))):
        Session(folder, tmp_path / str(number), experiment, before, epochs=2)
        rest = Session(folder, tmp_path / str(number), experiment, after, epochs=3)
        assert min(rest.losses) == 25
        for own in range(len(after)):
            assert distance(whole.parameters(), rest.parameters(own)) < 1e-6


def test_gradients_go_compressed_between_devices(folder, tmp_path):
    """In two bits each: the sum's error is kept and sent later, and so the loss falls all the same."""
    changes = {"optimizer": "sgd", "optimizer_params": {}, "learning_rate": 0.2, "epochs": 4}
    plain, small = (
        Session(folder, tmp_path / str(given), "attention_cluster_youtube8m", [mx.cpu(0), mx.cpu(1)],
                job=Collective("device", given), **changes)
        for given in (None, {"type": "2bit", "threshold": 0.5})
    )  # fmt: skip
    assert distance(plain.parameters(), small.parameters()) > 1e-3
    assert np.mean([small.losses[step] for step in (30, 35, 40)]) < 0.9 * small.losses[5]


def test_devices_by_their_names():
    assert devices.contexts("cpu") == [mx.cpu(0)]
    assert devices.contexts("cpu:0-1") == [mx.cpu(0), mx.cpu(1)]
    assert devices.contexts("cpu:2-2") == [mx.cpu(2)]
    assert devices.contexts("auto") == [mx.cpu(0)]  # no GPU here


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ({"devices": "cpu:0-1", "kvstore": None}, r"kvstore=None: 2 copies of the net would drift apart; take auto"),
        ({"kvstore": "nccl"}, r"runtime.kvstore=nccl: it is for NVIDIA's GPUs"),
        ({"kvstore": "dist_sync"}, r"runtime.kvstore=dist_sync: .* start it by python -m experiments.launch"),
        ({"gradient_compression": "2bit"}, r"gradient_compression=2bit: only between machines .* or several devices"),
        ({"devices": "cpu:0-1", "kvstore": "local", "gradient_compression": "2bit"}, "gradient_compression=2bit: only"),
        ({"devices": "gpu:0-1"}, "runtime.devices=gpu:0-1: MXNet sees 0 GPUs here"),
        ({"devices": "cpu:1,2"}, "runtime.devices=cpu:1,2: not of the form auto, cpu, gpu:0 or gpu:0-7"),
    ],
)
def test_what_cannot_be_is_one_line(runtime, words):
    runtime = {**configuration.RUNTIME, **runtime}
    with pytest.raises(UserError, match=words) as caught:
        devices.join(runtime, devices.contexts(runtime["devices"]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("runtime", "workers", "words"),
    [
        ({"kvstore": "device"}, 2, "kvstore=device: each of the 2 workers would train alone; take auto or dist_sync"),
        ({"kvstore": None}, 3, "kvstore=None: 3 copies of the net would drift apart"),
    ],
)
def test_workers_of_a_job_must_meet(monkeypatch, runtime, workers, words):
    monkeypatch.setenv("EXPERIMENTS_WORKERS", str(workers))
    with pytest.raises(UserError, match=words):
        devices.join({**configuration.RUNTIME, **runtime}, [mx.cpu()])


@pytest.mark.parametrize("name", ["auto", "local", "device"])
def test_kvstores_on_one_machine(name):
    job = devices.join({**configuration.RUNTIME, "kvstore": name}, [mx.cpu(0), mx.cpu(1)])
    assert job.kvstore == {"auto": "device"}.get(name, name)
    assert job.is_first
