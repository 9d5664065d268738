import math
from typing import get_args

import numpy as np
import pytest
import yaml

from evaluation import evaluate
from experiments import registry
from experiments.configuration import GIVEN_BY_DATA
from experiments.errors import UserError
from experiments.prepare import SHAPES
from experiments.registry.checks import check_arguments, fits
from experiments.registry.schema import Metric
from gluon_models import zoo

ENTRY = """
include: attention_cluster_flash_mnist.yaml
tags: []
references: []
deviations: []
"""

REFERENCE = {"source": "a paper", "split": "test", "metrics": {"gap": 0.84}, "tolerance": 0.01}


@pytest.fixture
def write(tmp_path):
    def write_entry(**changes):
        content = {**yaml.safe_load(ENTRY), **changes}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return write_entry


@pytest.mark.parametrize("name", registry.names())
def test_entry(name):
    """An entry leans on no default: it names every argument of its model, its data and its recipe."""
    entry = registry.load(name)
    arguments, data, training = registry.split(registry.flatten(entry))
    check_arguments(arguments, zoo.signature(entry.model["name"]), GIVEN_BY_DATA, name)
    assert set(arguments) == set(zoo.signature(entry.model["name"]).parameters) - GIVEN_BY_DATA
    assert (data, training) == (entry.data, entry.training)
    for reference in entry.references:
        assert reference.source
        assert 0 < reference.tolerance < 0.1
        assert set(reference.metrics) <= {"hit_at_1", "perr", "gap", "mean_ap"}
        assert reference.split == data.valid_split
    assert all(0 < own.value < 1 for cell in registry.cells(entry) for own in cell.published)
    shape = SHAPES[data.dataset]
    num_classes = len(shape.class_weights)
    zoo.create(entry.model["name"], feature_dims=shape.feature_dims, num_classes=num_classes, **arguments)


PUBLISHED = {
    "attention_cluster_youtube8m": {
        "cluster_nums": 32,
        "attention": "fc1",
        "shifting": True,
        "hidden_units": [1024, 4096],
        "dropout": 0.5,
        "dropout_mode": "downgrade_in_infer",
        "seg_num": 100,
        "batch_size": 2048,
        "loss": "sigmoid_cross_entropy",
        "loss_scale": 1.0,
        "initializer": "published",
        "optimizer": "adam",
        "optimizer_params": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        "learning_rate": 1e-3,
        "lr_decay_epochs": [],
        "lr_decay_factor": 1.0,
        "weight_decay": 0.0,
        "epochs": 5,
    },
    "attention_lstm_youtube8m": {
        "embedding_size": 512,
        "lstm_size": 1024,
        "hidden_units": [8192, 4096],
        "dropout": 0.5,
        "dropout_mode": "upscale_in_train",
        "seg_num": None,
        "batch_size": 1024,
        "loss": "sigmoid_cross_entropy",
        "loss_scale": 128.0,
        "initializer": "published",
        "optimizer": "rmsprop",
        "optimizer_params": {"gamma1": 0.95, "gamma2": 0.0, "epsilon": 1e-6, "centered": True},
        "learning_rate": 2.5e-4,
        "lr_decay_epochs": [5, 8],
        "lr_decay_factor": 0.1,
        "weight_decay": 4e-4,
        "epochs": 10,
    },
}
PUBLISHED["attention_lstm_youtube8m_static"] = {
    **PUBLISHED["attention_lstm_youtube8m"],
    "dropout_mode": "downgrade_in_infer",
    "loss_scale": 1024.0,
    "initializer": "fluid_defaults",
    "learning_rate": 1e-3,
    "lr_decay_epochs": [5],
    "weight_decay": 8e-4,
}
SCORES = {
    "attention_cluster_youtube8m": {"hit_at_1": 0.87, "perr": 0.78, "gap": 0.84},
    "attention_lstm_youtube8m": {"hit_at_1": 0.8905, "perr": 0.8049, "gap": 0.8630},
    "attention_lstm_youtube8m_static": {"hit_at_1": 0.8885, "perr": 0.8012, "gap": 0.8594},
}


def test_every_entry_of_youtube8m_is_held_to_its_source():
    youtube8m = {name for name in registry.names() if registry.load(name).data.dataset == "youtube8m"}
    assert youtube8m == set(PUBLISHED) == set(SCORES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_numbers_are_the_published_ones(name):
    entry = registry.load(name)
    config = registry.flatten(entry)
    assert {key: config[key] for key in PUBLISHED[name]} == PUBLISHED[name]
    ours = {"model", "dataset", "train_split", "valid_split", "log_interval", "valid_interval", "select_by"}
    assert set(config) - set(PUBLISHED[name]) == {*ours, "weight_decay_exempt"}  # that is tested by its effect
    assert [reference.metrics for reference in entry.references] == [SCORES[name]]


def test_an_entry_of_the_users_own(write):
    entry = registry.load(write(training={"epochs": 3}))
    assert entry.name == "mine"
    assert entry.training.epochs == 3
    assert entry.model["cluster_nums"] == 32


def test_another_model_brings_its_own_arguments(write):
    path = write(
        model={
            "name": "attention_lstm",
            "embedding_size": 4,
            "lstm_size": 4,
            "hidden_units": [],
            "dropout": 0.5,
        }
    )
    assert "cluster_nums" not in registry.load(path).model


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"epoch": 3}}, "training: no key named epoch; did you mean epochs?"),
        ({"training": {"epochs": "three"}}, "training: epochs='three' is not an integer"),
        (
            {"training": {"loss": "hinge"}},
            "loss='hinge' is not one of softmax_cross_entropy, sigmoid_cross_entropy",
        ),
        ({"data": {"batch_size": 1.5}}, "data: batch_size=1.5 is not an integer"),
        ({"data": {"seg_num": True}}, "data: seg_num=True is not an integer or None"),
        ({"referenzes": []}, "no key named referenzes; did you mean references?"),
        ({"model": {"epochs": 3}}, "epochs stands in two blocks"),
        ({"model": 3}, "model=3 is not a mapping"),
        ({"references": [{"source": "a paper"}]}, "references: split, metrics, tolerance missing"),
        ({"references": None}, "references=None is not a list"),
        ({"deviations": "text"}, "deviations='text' is not a list"),
        ({"training": {"loss_scale": 0}}, "loss_scale=0 is not above 0 and finite"),
        ({"training": {"loss_scale": -1.0}}, "loss_scale=-1.0 is not above 0 and finite"),
        ({"training": {"loss_scale": math.nan}}, "loss_scale=nan is not above 0 and finite"),
        ({"training": {"learning_rate": math.inf}}, "learning_rate=inf is not above 0 and finite"),
        ({"training": {"weight_decay": -1e-4}}, "weight_decay=-0.0001 is not at least 0 and finite"),
        ({"training": {"weight_decay": math.nan}}, "weight_decay=nan is not at least 0 and finite"),
        ({"training": {"lr_decay_factor": 0}}, "lr_decay_factor=0 is not above 0 and finite"),
        ({"training": {"lr_decay_epochs": [0, 5]}}, r"lr_decay_epochs=\[0, 5\] do not rise from 1 on"),
        ({"training": {"lr_decay_epochs": [8, 5]}}, r"lr_decay_epochs=\[8, 5\] do not rise"),
        ({"training": {"lr_decay_epochs": [5, 5]}}, r"lr_decay_epochs=\[5, 5\] do not rise"),
        ({"training": {"optimizer_params": {"wd": 5}}}, "wd is given by the key weight_decay, not here"),
        ({"training": {"optimizer_params": {"learning_rate": 5}}}, "learning_rate is given by the key learning_rate"),
        ({"training": {"optimizer_params": {"rescale_grad": 5}}}, "rescale_grad is given by the key loss_scale"),
        ({"training": {"optimizer_params": {"beta1": "x"}}}, "optimizer_params: beta1='x' is not a number"),
        ({"training": {"optimizer_params": {"beta1": math.nan}}}, "optimizer_params: beta1=nan is not a number"),
        ({"references": [{**REFERENCE, "metrics": {"hit1": 0.8}}]}, "no metric named hit1; did you mean hit_at_1?"),
        ({"references": [{**REFERENCE, "metrics": {"gap": 84.0}}]}, "references: gap=84.0 is not a fraction of 1"),
        ({"references": [{**REFERENCE, "tolerance": 0}]}, "references: tolerance=0 is not a fraction of 1"),
        ({"include": 3}, "include=3 is not the name of a file"),
        ({"include": "nowhere.yaml"}, "nowhere.yaml: not readable"),
    ],
)
def test_what_breaks_the_schema_is_one_line(write, changes, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")) as raised:
        registry.load(write(**changes))
    assert "\n" not in str(raised.value)


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: {name: attention_cluster}\ntags: []\n")
    with pytest.raises(UserError, match="data, training, references, deviations missing"):
        registry.load(str(path))


def test_no_yaml_is_one_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: [1, 2")
    with pytest.raises(UserError, match=r"mine.yaml: not readable as YAML") as raised:
        registry.load(str(path))
    assert "\n" not in str(raised.value)


def test_an_entry_that_includes_itself(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: mine.yaml\n")
    with pytest.raises(UserError, match="includes itself"):
        registry.load(str(path))


def test_an_unknown_experiment_is_told_the_nearest():
    with pytest.raises(
        UserError,
        match=r"no experiment named attention_lstm_youtube; did you mean attention_lstm_youtube8m\?",
    ):
        registry.load("attention_lstm_youtube")


def test_types():
    assert fits(1, float)
    assert not fits(True, int)
    assert not fits("1", float)
    assert fits([1, 2], list[int])
    assert not fits([1, "2"], list[int])
    assert fits({"a": 1}, int | dict[str, int])
    assert fits(None, int | None)


def test_metrics_are_those_that_are_measured():
    assert set(get_args(Metric)) == set(evaluate(np.eye(3), np.eye(3)))


def test_datasets_of_the_registry_are_known():
    assert {registry.load(name).data.dataset for name in registry.names()} <= set(SHAPES)
