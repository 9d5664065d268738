import pytest
import yaml

from experiments import registry
from experiments.configuration import GIVEN_BY_DATA
from experiments.errors import UserError
from experiments.prepare import SHAPES
from experiments.registry.checks import check_arguments, fits
from gluon_models import zoo

ENTRY = """
include: attention_cluster_flash_mnist.yaml
tags: []
references: []
deviations: []
"""


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
        assert all(0 < value < 1 for value in reference.metrics.values())
        assert set(reference.metrics) <= {"hit_at_1", "perr", "gap", "mean_ap"}
        assert reference.split == data.valid_split
    shape = SHAPES[data.dataset]
    num_classes = len(shape.class_weights)
    zoo.create(entry.model["name"], feature_dims=shape.feature_dims, num_classes=num_classes, **arguments)


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


def test_datasets_of_the_registry_are_known():
    assert {registry.load(name).data.dataset for name in registry.names()} <= set(SHAPES)
