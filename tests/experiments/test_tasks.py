from dataclasses import replace

import numpy as np
import pytest

from datasets import synthetic
from experiments import configuration, tasks
from experiments.errors import UserError

SHAPE = synthetic.Shape({"rgb": 6, "audio": 4}, np.ones(5), 2.0, shortest=3, longest=6)


def config(folder, **changes):
    updates = {"experiment": "attention_cluster_youtube8m", "dataset": "small", "batch_size": 8, "epochs": 1, **changes}
    return {**configuration.resolve(updates), **updates, "runtime": {**configuration.RUNTIME, "data_root": str(folder)}}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(SHAPE, class_weights=np.ones(4)), "5 classes; split validate has .* 4 classes"),
        (replace(SHAPE, feature_dims={"rgb": 6}), "rgb 6 uint8 .*, audio 4 uint8 .*; split validate has rgb 6 uint8"),
        (replace(SHAPE, feature_dims={"rgb": 6, "audio": 3}), "audio 4 .* audio 3"),
    ],
)
def test_splits_of_different_kinds_are_refused_before_training(tmp_path, other, words):
    synthetic.write_split(tmp_path / "small", SHAPE, "train", 16, seed=0)
    synthetic.write_split(tmp_path / "small", other, "validate", 8, seed=0)
    with pytest.raises(UserError, match=words):
        tasks.train(config(tmp_path), tmp_path / "run", lambda *_: None, {})


def test_fluids_initial_values(tmp_path):
    """The static AttentionLSTM's: biases of 0, and no rate that would move them."""
    for split in ("train", "validate"):
        synthetic.write_split(tmp_path / "small", SHAPE, split, 8, seed=0)
    changes = {"experiment": "attention_lstm_youtube8m_static", "learning_rate": 1e-30, "weight_decay": 0.0}
    sizes = {"embedding_size": 3, "lstm_size": 4, "hidden_units": [5]}
    tasks.train(config(tmp_path, **changes, **sizes), tmp_path / "run", lambda *_: None, {})
    import mxnet as mx

    values = mx.nd.load(str(tmp_path / "run" / "checkpoints" / "last" / "net.params"))
    assert np.abs(values["classifier.bias"].asnumpy()).max() < 1e-20
    assert values["classifier.weight"].asnumpy().std() > 1e-3
