import pickle
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from experiments import weights
from experiments.errors import UserError
from gluon_models import zoo
from gluon_models.errors import ModelError

GOLDEN = Path(__file__).parent.parent / "golden" / "ac_small.npz"


def make(num_classes=50, hidden_units=(24, 32)):
    model = zoo.create(
        "attention_cluster",
        feature_dims={"rgb": 16, "audio": 8},
        num_classes=num_classes,
        cluster_nums=4,
        attention="fc1",
        shifting=True,
        hidden_units=list(hidden_units),
        dropout=0.0,
    )
    model.initialize()
    return model


@pytest.fixture
def gluon_file(tmp_path):
    make().save_parameters(str(tmp_path / "net.params"))
    return tmp_path / "net.params"


@pytest.fixture
def paddle_file(tmp_path):
    """As Paddle writes it: a pickled dict of arrays."""
    golden = np.load(GOLDEN)
    content = {name[2:]: golden[name] for name in golden if name.startswith("w/")}
    (tmp_path / "net.pdparams").write_bytes(pickle.dumps(content, protocol=2))
    return tmp_path / "net.pdparams"


def test_paddles_file_gives_paddles_numbers(paddle_file):
    golden, model = np.load(GOLDEN), make()
    weights.load(model, paddle_file, dropout=0.0, new_classifier=True)
    logits = model([mx.nd.array(golden["rgb"]), mx.nd.array(golden["audio"])]).asnumpy()
    assert np.allclose(logits, golden["nodrop_logit"], atol=1e-5)


@pytest.mark.parametrize("kind", ["gluon_file", "paddle_file"])
def test_another_number_of_classes_starts_the_classifier_anew_and_says_so(kind, request, capsys):
    path, model, same = request.getfixturevalue(kind), make(num_classes=7), make()
    before = model.classifier.weight.data().asnumpy()
    weights.load(model, path, dropout=0.0, new_classifier=True)
    assert "has 50 classes and the data 7: the classifier starts anew" in capsys.readouterr().out
    weights.load(same, path, dropout=0.0, new_classifier=True)
    assert np.array_equal(model.classifier.weight.data().asnumpy(), before)
    assert np.array_equal(model.hidden[0].weight.data().asnumpy(), same.hidden[0].weight.data().asnumpy())
    with pytest.raises(UserError, match="classifier"):
        weights.load(make(num_classes=7), path, dropout=0.0, new_classifier=False)


def test_nothing_is_loaded_where_anything_does_not_fit(gluon_file):
    model = make(hidden_units=(24, 33))
    before = model.hidden[0].weight.data().asnumpy()
    with pytest.raises(UserError, match="set the sizes alike"):
        weights.load(model, gluon_file, dropout=0.0, new_classifier=True)
    assert np.array_equal(model.hidden[0].weight.data().asnumpy(), before)


def test_parameters_of_another_model(gluon_file):
    with pytest.raises(UserError, match="parameters of another model"):
        weights.load(make(hidden_units=()), gluon_file, dropout=0.0, new_classifier=True)


@pytest.mark.parametrize("name", ["net.params", "net.pdparams"])
def test_a_file_of_another_kind_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"neither the one nor the other")
    with pytest.raises((UserError, ModelError), match=name) as raised:
        weights.load(make(), tmp_path / name, dropout=0.0, new_classifier=True)
    assert "\n" not in str(raised.value)


def test_a_runs_last_checkpoint_is_found_by_its_id(tmp_path):
    last = tmp_path / "7" / "checkpoints" / "last"
    last.mkdir(parents=True)
    (last / "net.params").touch()
    assert weights.find(7, tmp_path) == last / "net.params"
    with pytest.raises(UserError, match="weights=8: no file"):
        weights.find(8, tmp_path)
