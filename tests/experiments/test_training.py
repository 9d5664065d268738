"""The loop over real files and a small real network."""

import json
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest

from datasets import synthetic
from datasets.loader import Loader
from datasets.video_dataset import VideoDataset
from evaluation import evaluate as metrics_of
from experiments import registry, training
from experiments.checkpoint import Checkpoints
from experiments.errors import UserError
from gluon_models import zoo
from gluon_models.dequantize import Dequantized

SHAPE = synthetic.Shape({"rgb": 24, "audio": 8}, np.ones(6), 1.5, 4, 9)
RECIPE = replace(
    registry.load("attention_cluster_youtube8m").training,
    epochs=4,
    learning_rate=0.01,
    log_interval=3,
    valid_interval=3,
)


ONE_DEVICE = (mx.cpu(0),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_split(folder, SHAPE, "train", 75, seed=0)
    synthetic.write_split(folder, SHAPE, "validate", 21, seed=0)
    return folder


class Session:
    """One training, with all that it said."""

    def __init__(self, folder, place, recipe=RECIPE, contexts=ONE_DEVICE, seed=0, dropout=0.2, batch_size=8):
        self.logged = []
        train, self.valid = (VideoDataset.open(folder, split) for split in ("train", "validate"))
        self.model = zoo.create(
            "attention_cluster", feature_dims=train.feature_dims, num_classes=train.num_classes, cluster_nums=2,
            attention="fc1", shifting=True, hidden_units=[16], dropout=dropout,
        )  # fmt: skip
        mx.random.seed(seed)
        self.model.initialize(ctx=list(contexts))
        self.net = Dequantized(self.model, train.ranges)
        self.net.hybridize()
        self.checkpoints = place / "checkpoints"
        self.metrics = training.fit(
            self.net, Loader(train, batch_size, 5, training=True, seed=seed), Loader(self.valid, 8, 5, training=False),
            recipe, list(contexts), Checkpoints(self.checkpoints, self.model),
            lambda name, value, step: self.logged.append((name, value, step)), seed,
        )  # fmt: skip

    def values(self, name):
        return {step: value for key, value, step in self.logged if key == name}

    def parameters(self):
        return np.concatenate([p.data(p.list_ctx()[0]).asnumpy().ravel() for p in self.model.collect_params().values()])


def test_it_learns_and_says_what_it_does(folder, tmp_path):
    session = Session(folder, tmp_path, replace(RECIPE, epochs=12))
    losses = session.values("train.loss")
    assert set(losses) == {10 * epoch + step for epoch in range(12) for step in (3, 6, 9, 10)}  # ten steps an epoch
    assert 2 < losses[3] < 6  # six classes: six times log 2 for zero logits
    assert losses[120] < 0.5 * losses[3]
    assert session.metrics["gap"] > 0.6
    assert set(session.values("validate.gap")) == {30, 60, 90, 120}


def test_the_metrics_are_those_of_the_whole_split(folder, tmp_path):
    session = Session(folder, tmp_path)
    (batch,) = Loader(session.valid, 21, 5, training=False).epoch()
    logits = session.net([mx.nd.array(frames, dtype=np.uint8) for frames in batch.features]).asnumpy()
    expected = metrics_of(1 / (1 + np.exp(-logits)), batch.labels)
    assert session.metrics == pytest.approx(expected, abs=1e-6)


def test_nothing_compiled_is_left(folder, tmp_path):
    """Whoever forgets the net afterwards frees no graph with it, of which work may be pending."""
    session = Session(folder, tmp_path)
    assert session.net._cached_op is None
    assert not session.net._graphs


def test_last_and_best_are_kept(folder, tmp_path):
    recipe = replace(RECIPE, valid_interval=1, learning_rate=0.03)
    session = Session(folder, tmp_path, recipe)
    gaps = list(session.values("validate.gap").values())
    progress = {
        name: json.loads((session.checkpoints / name / "progress.json").read_text()) for name in ("last", "best")
    }
    assert progress["last"]["epoch"] == 4
    assert progress["best"]["epoch"] == 1 + gaps.index(max(gaps))
    kept = {path.name for path in session.checkpoints.iterdir() if not path.is_symlink()}
    assert kept == {f"epoch-{entry['epoch']:04d}-step-{entry['step']:06d}" for entry in progress.values()}


def test_losses_repeat_with_the_seed(folder, tmp_path):
    first, again, other = (Session(folder, tmp_path / str(n), seed=seed) for n, seed in enumerate((1, 1, 2)))
    assert first.values("train.loss") == again.values("train.loss")
    assert first.values("train.loss") != other.values("train.loss")


def test_going_on_ends_where_an_undisturbed_run_does(folder, tmp_path):
    whole = Session(folder, tmp_path / "whole")
    Session(folder, tmp_path / "parts", replace(RECIPE, epochs=2))
    rest = Session(folder, tmp_path / "parts")
    assert min(rest.values("train.loss")) > 20
    assert np.array_equal(rest.parameters(), whole.parameters())


@pytest.mark.parametrize("batch_size", [8, 37])  # 75 videos: the last batch has 3, or 1 for two devices
def test_two_devices_do_as_one(folder, tmp_path, batch_size):
    recipe = replace(RECIPE, optimizer="sgd", optimizer_params={}, learning_rate=0.1)
    one, two = (
        Session(folder, tmp_path / str(len(contexts)), recipe, contexts, dropout=0.0, batch_size=batch_size)
        for contexts in ((mx.cpu(0),), (mx.cpu(0), mx.cpu(1)))
    )
    assert np.abs(one.parameters() - two.parameters()).max() < 1e-5


def test_the_rate_falls_when_the_recipe_says_so(folder, tmp_path):
    recipe = replace(RECIPE, lr_decay_epochs=[2], lr_decay_factor=1e-30)
    still, short = Session(folder, tmp_path / "a", recipe), Session(folder, tmp_path / "b", replace(recipe, epochs=2))
    assert np.array_equal(still.parameters(), short.parameters())


def test_a_loss_that_is_no_number_is_one_line(folder, tmp_path):
    with pytest.raises(UserError, match=r"the loss is nan at step \d+; try a lower learning_rate"):
        Session(folder, tmp_path, replace(RECIPE, optimizer="sgd", optimizer_params={}, learning_rate=1e38))
