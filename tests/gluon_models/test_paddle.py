import pickle
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_models import zoo
from gluon_models.errors import ModelError
from gluon_models.paddle import load_into, main, net_of, sources

GOLDEN = ["ac_small", "lstm_small"]


@pytest.fixture
def cluster_weights(golden):
    return weights_of(golden("ac_small"))


@pytest.fixture
def lstm_weights(golden):
    return weights_of(golden("lstm_small"))


def weights_of(paddle):
    return {name[2:]: values for name, values in paddle.items() if name.startswith("w/")}


def as_state_dict(weights):
    """What PaddleVideo saves: a prefix, and each LSTM parameter under two names."""
    state = {}
    for name, values in weights.items():
        state[f"head.{name}"] = values
        layer, _, parameter = name.partition(".")
        if layer.startswith("bi_lstm"):
            cell = "cell_bw" if parameter.endswith("_reverse") else "cell_fw"
            state[f"head.{layer}.0.{cell}.{parameter.split('_l0')[0]}"] = values
    return state


def predict(net, paddle):
    features = [mx.nd.array(paddle[name]) for name in ("rgb", "audio")]
    return net(features, mx.nd.array(paddle["length"]) if "length" in paddle else None).asnumpy()


def expected(paddle):
    return paddle["logit"] if "logit" in paddle else paddle["eval_drop05_logit"]


@pytest.mark.parametrize("name", GOLDEN)
def test_net_is_made_from_the_names_and_shapes(golden, name):
    paddle = golden(name)
    net = net_of(weights_of(paddle), ["rgb", "audio"], dropout=0.5)
    assert net.feature_dims == {"rgb": 16, "audio": 8}
    np.testing.assert_allclose(predict(net, paddle), expected(paddle), atol=1e-5)


def test_names_of_a_state_dict(golden, lstm_weights):
    state = as_state_dict(lstm_weights)
    assert "head.bi_lstm1.0.cell_bw.weight_hh" in state
    both = net_of(state, ["rgb", "audio"], dropout=0.0)
    cells_only = {name: values for name, values in state.items() if "_l0" not in name}
    for net in (both, net_of(cells_only, ["rgb", "audio"], dropout=0.0)):
        np.testing.assert_allclose(predict(net, golden("lstm_small")), golden("lstm_small")["logit"], atol=1e-5)
    state["head.bi_lstm1.0.cell_bw.weight_hh"] = state["head.bi_lstm1.0.cell_bw.weight_hh"] + 1
    with pytest.raises(ModelError, match=r"bi_lstm1.0.cell_bw.weight_hh .* their values differ"):
        net_of(state, ["rgb", "audio"], dropout=0.0)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("initialised", [True, False])
def test_load_into_any_net_of_that_shape(golden, name, initialised, tmp_path):
    paddle = golden(name)
    model = net_of(weights_of(paddle), ["rgb", "audio"], dropout=0.5)
    arguments = {
        "attention_cluster": {"cluster_nums": 4, "attention": "fc1", "shifting": True},
        "attention_lstm": {"embedding_size": 12, "lstm_size": 10},
    }["attention_cluster" if name == "ac_small" else "attention_lstm"]
    net = zoo.create(
        "attention_cluster" if name == "ac_small" else "attention_lstm",
        feature_dims=model.feature_dims,
        num_classes=50,
        hidden_units=paddle["fc"].tolist(),
        dropout=0.5,
        **arguments,
    )
    if initialised:
        net.initialize()
        net.hybridize()
        predict(net, paddle)
    path = tmp_path / "net.pdparams"
    path.write_bytes(pickle.dumps(weights_of(paddle), protocol=2))
    load_into(net, path)
    np.testing.assert_allclose(predict(net, paddle), expected(paddle), atol=1e-5)


@pytest.mark.parametrize("weights", ["cluster_weights", "lstm_weights"])
def test_every_parameter_has_a_source(request, weights):
    net = net_of(request.getfixturevalue(weights), ["rgb", "audio"], dropout=0.5)
    assert {id(source.parameter) for source in sources(net)} == {id(p) for p in net.collect_params().values()}


def test_uneven_modalities_and_other_depths():
    """Nothing is tuned to the golden files: 3 modalities of other widths and units, 1 or no hidden layer."""
    rng = np.random.default_rng(0)
    for hidden in ([], [7]):
        net = zoo.create(
            "attention_cluster",
            feature_dims={"rgb": 5, "flow": 3, "audio": 2},
            num_classes=6,
            cluster_nums=[4, 1, 3],
            attention="fc1",
            shifting=True,
            hidden_units=hidden,
            dropout=0.25,
        )
        weights = {s.name: rng.normal(size=s.to_paddle(s.parameter.shape)).astype("float32") for s in sources(net)}
        load_into(net, weights)
        first = f"{'fc1' if hidden else 'logistic'}.weights"
        layer = net.hidden[0] if hidden else net.classifier
        np.testing.assert_allclose(layer.weight.data().asnumpy(), weights[first].T * 0.75, rtol=1e-6)
        again = net_of(weights, ["rgb", "flow", "audio"], dropout=0.25)
        features = [mx.nd.array(rng.normal(size=(2, 4, dim))) for dim in (5, 3, 2)]
        np.testing.assert_array_equal(again(features, None).asnumpy(), net(features, None).asnumpy())


def refusal(weights, modalities=("rgb", "audio")):
    with pytest.raises(ModelError) as refused:
        net_of(weights, modalities, dropout=0.5)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_missing_and_surplus_names_are_named(cluster_weights, lstm_weights):
    del cluster_weights["satt1.shift_b"]
    cluster_weights["fc1.moment"] = np.zeros(3)
    message = refusal(cluster_weights)
    assert "missing: satt1.shift_b" in message
    assert "surplus: fc1.moment" in message
    del lstm_weights["fc_feature0.weight"]
    assert "missing: fc_feature0.weight" in refusal(lstm_weights)


def test_wrong_shapes_are_named(cluster_weights, lstm_weights):
    net = net_of(cluster_weights, ["rgb", "audio"], dropout=0.5)
    cluster_weights["fc1.weights"] = cluster_weights["fc1.weights"].T
    with pytest.raises(ModelError, match=r"fc1.weights has shape \(24, 96\), but this net needs \(96, 24\)"):
        load_into(net, cluster_weights)
    lstm_weights["att_fc0.weight"] = np.zeros((20, 2))
    assert "att_fc0.weight has shape (20, 2), but this net needs (20, 1)" in refusal(lstm_weights)
    lstm_weights["fc_logit.weight"] = np.zeros(3)
    assert "fc_logit.weight has shape (3,)" in refusal(lstm_weights)


def test_a_refused_file_leaves_the_net_as_it_was(cluster_weights):
    net = net_of(cluster_weights, ["rgb", "audio"], dropout=0.5)
    before = {name: parameter.data().asnumpy() for name, parameter in net.collect_params().items()}
    other = {name: values + 1 for name, values in cluster_weights.items()}
    other["logistic.bias"] = np.zeros(3)
    with pytest.raises(ModelError):
        load_into(net, other)
    for name, parameter in net.collect_params().items():
        np.testing.assert_array_equal(parameter.data().asnumpy(), before[name])


def test_weights_of_another_model(cluster_weights, lstm_weights):
    assert "fc_0.w_0" in refusal({"fc_0.w_0": np.zeros(3)})
    assert "2 modalities, but 3 are named" in refusal(lstm_weights, ["rgb", "flow", "audio"])
    net = net_of(cluster_weights, ["rgb", "audio"], dropout=0.5)
    with pytest.raises(ModelError, match=r"missing: .*satt0.conv.weight.*surplus: .*bi_lstm0"):
        load_into(net, lstm_weights)


def test_a_net_that_paddle_does_not_have(cluster_weights):
    with pytest.raises(ModelError, match="Paddle has no weights for a Dense"):
        load_into(nn.Dense(3), cluster_weights)
    for example in zoo.find("attention_cluster").examples[1:]:
        with pytest.raises(ModelError, match="attention 'fc1' and shifting"):
            load_into(zoo.create("attention_cluster", **example), cluster_weights)


def test_command_converts_a_file(golden, tmp_path):
    paddle = golden("ac_small")
    (tmp_path / "net.pdparams").write_bytes(pickle.dumps(weights_of(paddle), protocol=2))
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "gluon_models.paddle"]
    files = [str(tmp_path / "net.pdparams"), str(tmp_path / "net.params")]
    root = Path(__file__).parents[2]
    run = subprocess.run([*command, *files], cwd=root, capture_output=True, text=True, check=True)
    assert "AttentionCluster of 4,898 parameters" in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.params", "net.pdparams"]
    net = net_of({name: values * 0 for name, values in weights_of(paddle).items()}, ["rgb", "audio"], dropout=0.5)
    net.load_parameters(files[1])
    np.testing.assert_allclose(predict(net, paddle), paddle["eval_drop05_logit"], atol=1e-5)


@pytest.mark.parametrize(
    ("content", "out", "reason"),
    [(b"junk", "net.params", "cannot be read"), (None, "no_folder/net.params", "there is no folder")],
)
def test_command_refuses_in_one_line(golden, tmp_path, capsys, content, out, reason):
    path = tmp_path / "net.pdparams"
    path.write_bytes(content or pickle.dumps(weights_of(golden("ac_small"))))
    assert main([str(path), str(tmp_path / out)]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / out).exists()
