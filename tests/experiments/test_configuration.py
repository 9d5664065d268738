import json

import pytest

from experiments import configuration
from experiments.errors import UserError

MODEL = """
from mxnet.gluon import HybridBlock, nn


class NetVLAD(HybridBlock):
    def __init__(self, feature_dims, num_classes, clusters: int, dropout: float):
        super().__init__()
        self.classifier = nn.Dense(num_classes, in_units=sum(feature_dims.values()))

    def hybrid_forward(self, F, features, lengths=None):
        return self.classifier(F.concat(*[F.mean(frames, axis=1) for frames in features], dim=1))
"""


@pytest.fixture
def foreign_model(tmp_path, monkeypatch):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "netvlad.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_package.netvlad:NetVLAD"


def test_the_default_is_the_first_run():
    config = configuration.resolve({"cluster_nums": 16})
    assert config["experiment"] == "attention_cluster_flash_mnist"
    assert config["cluster_nums"] == 32  # what is given is laid over by Sacred
    assert config["runtime"]["devices"] == "cpu"


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"clustre_nums": 3}, "no key named clustre_nums; did you mean cluster_nums?"),
        ({"experiment": "attention_lstm_flash_mnist", "cluster_nums": 3}, "no key named cluster_nums"),
        ({"learning_rate": "fast"}, "learning_rate='fast' is not a number"),
        ({"cluster_nums": "many"}, "cluster_nums='many' is not of the kind of 32"),
        ({"shifting": 3}, "shifting=3 is not of the kind of True"),
        ({"runtime": {"device": "gpu"}}, "no key named runtime.device; did you mean runtime.devices?"),
        ({"runtime": {"devices": 3}}, "runtime.devices=3 is not text"),
        ({"runtime": {"kvstore": "dist_synk"}}, "runtime.kvstore: no kvstore named dist_synk; did you mean dist_sync?"),
        ({"runtime": {"dtype": "float61"}}, "runtime.dtype: no dtype named float61; did you mean float16?"),
        ({"runtime": {"gradient_compression": "1bit"}}, "no compression named 1bit; did you mean 2bit?"),
        ({"runtime": {"gradient_compression": "2bit:-1"}}, "2bit:-1: -1 is no threshold above 0"),
        ({"runtime": {"gradient_compression": "2bit:"}}, "2bit:: nothing is no threshold above 0"),
        ({"log_interval": "often"}, "log_interval='often' is not an integer"),
        ({"runtime": {"workers": 0}}, "runtime.workers=0 is not at least 1"),
        ({"epochs": 0}, "epochs=0 is not at least 1"),
        ({"batch_size": 0}, "batch_size=0 is not at least 1"),
        ({"learning_rate": 0}, "learning_rate=0 is not above 0"),
        ({"devices": "cpu"}, "did you mean runtime.devices?"),
        ({"runtime": 3}, "runtime=3 is not a block"),
        ({"model": 3}, "model=3 is not a model's name"),
        ({"seed": -1}, "seed=-1 is not from 0"),
        ({"experiment": "attention_cluster"}, "no experiment named attention_cluster"),
        ({"experiment": 3}, "experiment=3 is not the name"),
        ({"experiment": "./nowhere.yaml"}, "nowhere.yaml: no such file"),
        ({"seed": "x"}, "seed='x' is not an integer"),
        ({"weights": [1]}, "weights="),
        ({"resume": 77}, "run 77: no folder"),
    ],
)
def test_a_mistake_is_one_line(updates, message):
    with pytest.raises(UserError) as raised:
        configuration.resolve(updates)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("typed", "meant"), [("true", True), ("False", False), ("false", False)])
def test_flags_may_be_typed_as_they_are_elsewhere(typed, meant):
    updates = {"allow_unverified": typed, "smoke": typed, "shifting": typed}
    config = configuration.resolve(updates)
    assert config["dataset"].startswith("smoke_") is meant
    assert configuration.typed_updates(updates, config) == dict.fromkeys(updates, meant)
    with pytest.raises(UserError, match="allow_unverified='yes' is not True or False"):
        configuration.resolve({"allow_unverified": "yes"})


def test_cluster_nums_may_be_one_number_a_modality():
    configuration.resolve({"experiment": "attention_cluster_youtube8m", "cluster_nums": [64, 16]})


def test_smoke_shows_in_the_configuration():
    config = configuration.resolve({"experiment": "attention_lstm_youtube8m", "smoke": True})
    assert (config["dataset"], config["epochs"], config["batch_size"]) == ("smoke_youtube8m", 1, 16)


def test_a_model_from_elsewhere(foreign_model):
    config = configuration.resolve({"model": foreign_model, "clusters": 64})
    assert config["model"] == foreign_model
    assert config["clusters"] == 64
    assert config["dropout"] == 0.5  # of the same name in the entry
    assert "cluster_nums" not in config


def test_a_model_from_elsewhere_must_be_told_its_arguments(foreign_model):
    with pytest.raises(UserError, match="clusters missing"):
        configuration.resolve({"model": foreign_model})
    with pytest.raises(UserError, match="clusters='x' is not an integer"):
        configuration.resolve({"model": foreign_model, "clusters": "x"})


def test_resume_takes_the_runs_own_configuration(tmp_path):
    (tmp_path / "7").mkdir()
    saved = {**configuration.resolve({}), "seed": 5, "epochs": 3}
    (tmp_path / "7" / "config.json").write_text(json.dumps(saved))
    runtime = {"runs_dir": str(tmp_path)}
    assert configuration.resolve({"resume": 7, "runtime": runtime})["seed"] == 5
    with pytest.raises(UserError, match="resume: learning_rate is the run's own"):
        configuration.resolve({"resume": 7, "learning_rate": 0.1, "runtime": runtime})


def test_a_runs_weights_come_with_its_configuration(tmp_path):
    (tmp_path / "7").mkdir()
    saved = {**configuration.resolve({}), "seed": 5, "cluster_nums": 3}
    (tmp_path / "7" / "config.json").write_text(json.dumps(saved))
    runtime = {"runs_dir": str(tmp_path)}
    assert configuration.resolve({"weights": 7, "runtime": runtime})["cluster_nums"] == 3
    other = configuration.resolve({"weights": 7, "experiment": "attention_cluster_flash_mnist", "runtime": runtime})
    assert other["cluster_nums"] == 32
