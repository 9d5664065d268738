import pickle
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from experiments import weights
from experiments.errors import UserError
from gluon_models import zoo
from gluon_models.errors import ModelError

GOLDEN = Path(__file__).parent.parent / "golden" / "ac_small.npz"


def make(**changes):
    arguments = {
        "feature_dims": {"rgb": 16, "audio": 8},
        "num_classes": 50,
        "cluster_nums": 4,
        "attention": "fc1",
        "shifting": True,
        "hidden_units": [24, 32],
        "dropout": 0.5,
        "dropout_mode": "downgrade_in_infer",
    }
    model = zoo.create("attention_cluster", **{**arguments, **changes})
    model.initialize()
    return model


def save(path, model, **changes):
    """A file of ``model``'s parameters, some of them changed."""
    parameters = {name: parameter.data() for name, parameter in model._collect_params_with_prefix().items()}
    mx.nd.save(str(path), {**parameters, **changes})
    return path


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


@pytest.mark.parametrize("dropout", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("mode", ["upscale_in_train", "downgrade_in_infer"])
def test_paddles_file_gives_paddles_numbers_whatever_dropout_is_configured(paddle_file, dropout, mode):
    golden, model = np.load(GOLDEN), make(dropout=dropout, dropout_mode=mode)
    weights.load(model, paddle_file, new_classifier=True)
    logits = model([mx.nd.array(golden["rgb"]), mx.nd.array(golden["audio"])]).asnumpy()
    assert np.allclose(logits, golden["eval_drop05_logit"], atol=1e-5)


@pytest.mark.parametrize("kind", ["gluon_file", "paddle_file"])
def test_another_number_of_classes_starts_the_classifier_anew_and_says_so(kind, request, capsys):
    path, model, same = request.getfixturevalue(kind), make(num_classes=7), make()
    before = [parameter.data().asnumpy() for parameter in (model.classifier.weight, model.classifier.bias)]
    weights.load(model, path, new_classifier=True)
    assert "has 50 classes and the data 7: the classifier starts anew" in capsys.readouterr().out
    weights.load(same, path, new_classifier=True)
    for parameter, values in zip((model.classifier.weight, model.classifier.bias), before, strict=True):
        assert np.array_equal(parameter.data().asnumpy(), values)
    assert np.array_equal(model.hidden[0].weight.data().asnumpy(), same.hidden[0].weight.data().asnumpy())
    with pytest.raises(UserError, match=r"classifier"):
        weights.load(make(num_classes=7), path, new_classifier=False)


def test_nothing_is_loaded_where_anything_does_not_fit(gluon_file):
    model = make(hidden_units=[24, 33])
    before = model.hidden[0].weight.data().asnumpy()
    with pytest.raises(UserError, match="set the sizes alike"):
        weights.load(model, gluon_file, new_classifier=True)
    assert np.array_equal(model.hidden[0].weight.data().asnumpy(), before)


def test_parameters_of_another_model(gluon_file):
    with pytest.raises(UserError, match="parameters of another model"):
        weights.load(make(hidden_units=[]), gluon_file, new_classifier=True)


def test_what_is_missing_and_what_is_surplus_is_told_apart(gluon_file, tmp_path):
    with pytest.raises(UserError, match=r"hidden.1.bias, which is there, is not in this one"):
        weights.load(make(hidden_units=[24]), gluon_file, new_classifier=True)
    with pytest.raises(UserError, match=r"hidden.2.bias, which this one has, is missing there"):
        weights.load(make(hidden_units=[24, 32, 5]), gluon_file, new_classifier=True)


AVERAGE = {"attention": "average", "shifting": False, "hidden_units": []}


@pytest.mark.parametrize("changes", [{"cluster_nums": 6}, {"cluster_nums": 6, "num_classes": 9}])
def test_a_classifier_of_other_inputs_is_of_another_model(tmp_path, changes):
    """Nothing but the classifier's shape tells that these two average over other features."""
    path = save(tmp_path / "net.params", make(**AVERAGE))
    with pytest.raises(UserError, match=r"classifier.weight is .* there and .* here; set the sizes alike"):
        weights.load(make(**AVERAGE, **changes), path, new_classifier=True)


def test_the_classifiers_weight_and_bias_start_anew_together_or_not_at_all(tmp_path):
    path = save(tmp_path / "net.params", make(), **{"classifier.bias": mx.nd.zeros(7)})
    for num_classes in (50, 7):
        model = make(num_classes=num_classes)
        before = model.hidden[0].weight.data().asnumpy()
        with pytest.raises(UserError, match=r"classifier"):
            weights.load(model, path, new_classifier=True)
        assert np.array_equal(model.hidden[0].weight.data().asnumpy(), before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, paddle_file, value):
    path = save(tmp_path / "net.params", make(), **{"hidden.0.bias": mx.nd.full(24, value)})
    with pytest.raises(UserError, match=r"net.params: hidden.0.bias has values that are not finite"):
        weights.load(make(), path, new_classifier=True)
    content = pickle.loads(paddle_file.read_bytes())
    paddle_file.write_bytes(pickle.dumps({**content, "fc1.bias": np.full(24, value, np.float32)}))
    with pytest.raises(UserError, match=r"net.pdparams: fc1.bias has values that are no finite"):
        weights.load(make(), paddle_file, new_classifier=True)


def test_paddles_file_of_another_model_is_one_line_with_its_path(paddle_file):
    with pytest.raises(UserError, match=r"net.pdparams: Paddle has no weights for a Dense"):
        weights.load(nn.Dense(3, in_units=2), paddle_file, new_classifier=True)


@pytest.mark.parametrize("name", ["net.params", "net.pdparams"])
def test_a_file_of_another_kind_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"neither the one nor the other")
    with pytest.raises((UserError, ModelError), match=name) as raised:
        weights.load(make(), tmp_path / name, new_classifier=True)
    assert "\n" not in str(raised.value)


def test_a_runs_last_checkpoint_is_found_by_its_id(tmp_path):
    last = tmp_path / "7" / "checkpoints" / "last"
    last.mkdir(parents=True)
    (last / "net.params").touch()
    config = {"weights": 7, "allow_unverified": False, "runtime": {"runs_dir": str(tmp_path), "model_dir": "models"}}
    assert weights.find(config) == last / "net.params"
    with pytest.raises(UserError, match="weights=8: no file"):
        weights.find({**config, "weights": 8})
