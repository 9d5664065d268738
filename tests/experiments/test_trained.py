"""What a run kept of its data is enough to predict by it, where the data have gone."""

import pytest

from datasets.layout import YOUTUBE8M_RANGE
from experiments import configuration, registry, trained
from experiments.errors import UserError
from gluon_models import zoo

NOTES = {"classes": 3, "feature_dims": {"rgb": 4}, "fingerprint": "0123"}


@pytest.fixture
def run_of(tmp_path, make_run):
    """Makes a run with parameters; the configuration that loads them."""

    def make(notes, resources=()):
        config = configuration.resolve({"experiment": "attention_cluster_youtube8m"})
        config |= {"cluster_nums": 2, "hidden_units": []}
        config["runtime"] = {**config["runtime"], "runs_dir": str(tmp_path), "data_root": str(tmp_path / "gone")}
        journal = make_run(tmp_path, config=config, resources=resources)
        journal.write("state", {**journal.read("state"), "info": {"data": {config["train_split"]: notes}}})
        arguments, _, _ = registry.split(configuration.numbers_of(config))
        net = zoo.create("attention_cluster", feature_dims=NOTES["feature_dims"], num_classes=3, **arguments)
        net.initialize()
        (journal.folder / "checkpoints" / "last").mkdir(parents=True)
        net.save_parameters(str(journal.folder / "checkpoints" / "last" / "net.params"))
        return {**config, "weights": journal.run_id}

    return make


def test_classes_have_the_names_that_the_run_kept(run_of, tmp_path):
    names = tmp_path / "vocabulary.csv"
    names.write_text("Index,Name\n0,cat\n1,dog\n2,bird\n")
    config = run_of({**NOTES, "ranges": {"rgb": YOUTUBE8M_RANGE}}, resources=[names])
    names.write_text("Index,Name\n0,a\n1,b\n2,c\n")
    assert trained.load(config, None).description.class_names == ["cat", "dog", "bird"]
    assert trained.load(config, None, str(names)).description.class_names == ["a", "b", "c"]


def test_an_older_run_needs_its_data_and_says_so(run_of):
    with pytest.raises(UserError, match=r"^run 1: made before runs noted what the bytes .*: dataset youtube8m: not in"):
        trained.load(run_of(NOTES), None)
