import pickle

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_models import zoo
from gluon_models.errors import ModelError
from gluon_models.paddle import load_into, net_of, sources, values_for

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
    net = net_of(weights_of(paddle), ["rgb", "audio"])
    assert net.feature_dims == {"rgb": 16, "audio": 8}
    np.testing.assert_allclose(predict(net, paddle), expected(paddle), atol=1e-5)


def test_names_of_a_state_dict(golden, lstm_weights):
    state = as_state_dict(lstm_weights)
    assert "head.bi_lstm1.0.cell_bw.weight_hh" in state
    both = net_of(state, ["rgb", "audio"])
    cells_only = {name: values for name, values in state.items() if "_l0" not in name}
    for net in (both, net_of(cells_only, ["rgb", "audio"])):
        np.testing.assert_allclose(predict(net, golden("lstm_small")), golden("lstm_small")["logit"], atol=1e-5)
    state["head.bi_lstm1.0.cell_bw.weight_hh"] = state["head.bi_lstm1.0.cell_bw.weight_hh"] + 1
    with pytest.raises(ModelError, match=r"bi_lstm1.0.cell_bw.weight_hh .* their values differ"):
        net_of(state, ["rgb", "audio"])


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("initialised", [True, False])
def test_load_into_any_net_of_that_shape(golden, name, initialised, tmp_path):
    paddle = golden(name)
    model = net_of(weights_of(paddle), ["rgb", "audio"])
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
    net = net_of(request.getfixturevalue(weights), ["rgb", "audio"])
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
        load_into(net, weights, source_dropout=0.25)
        first = f"{'fc1' if hidden else 'logistic'}.weights"
        layer = net.hidden[0] if hidden else net.classifier
        np.testing.assert_allclose(layer.weight.data().asnumpy(), weights[first].T * 0.75, rtol=1e-6)
        again = net_of(weights, ["rgb", "flow", "audio"], source_dropout=0.25)
        features = [mx.nd.array(rng.normal(size=(2, 4, dim))) for dim in (5, 3, 2)]
        np.testing.assert_array_equal(again(features, None).asnumpy(), net(features, None).asnumpy())


def refusal(weights, modalities=("rgb", "audio")):
    with pytest.raises(ModelError) as refused:
        net_of(weights, modalities)
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
    net = net_of(cluster_weights, ["rgb", "audio"])
    cluster_weights["fc1.weights"] = cluster_weights["fc1.weights"].T
    with pytest.raises(ModelError, match=r"fc1.weights has shape \(24, 96\), but this net needs \(96, 24\)"):
        load_into(net, cluster_weights)
    lstm_weights["att_fc0.weight"] = np.zeros((20, 2))
    assert "att_fc0.weight has shape (20, 2), but this net needs (20, 1)" in refusal(lstm_weights)
    lstm_weights["fc_logit.weight"] = np.zeros(3)
    assert "fc_logit.weight has shape (3,)" in refusal(lstm_weights)


def test_a_refused_file_leaves_the_net_as_it_was(cluster_weights):
    net = net_of(cluster_weights, ["rgb", "audio"])
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
    net = net_of(cluster_weights, ["rgb", "audio"])
    with pytest.raises(ModelError, match=r"missing: .*satt0.conv.weight.*surplus: .*bi_lstm0"):
        load_into(net, lstm_weights)


def test_a_net_that_paddle_does_not_have(cluster_weights):
    with pytest.raises(ModelError, match="Paddle has no weights for a Dense"):
        load_into(nn.Dense(3), cluster_weights)
    for example in zoo.find("attention_cluster").examples[1:]:
        with pytest.raises(ModelError, match="attention 'fc1' and shifting"):
            load_into(zoo.create("attention_cluster", **example), cluster_weights)


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("cluster_weights", "satt0.conv.weight"),
        ("cluster_weights", "satt1.conv.weight"),
        ("cluster_weights", "fc1.weights"),
        ("cluster_weights", "satt1.conv.bias"),
        ("lstm_weights", "fc_feature1.weight"),
        ("lstm_weights", "bi_lstm0.weight_hh_l0"),
        ("lstm_weights", "fc_out1.weight"),
    ],
)
def test_a_missing_array_is_named_whichever_it_is(request, which, name):
    weights = request.getfixturevalue(which)
    del weights[name]
    assert f"missing: {name}" in refusal(weights)


@pytest.mark.parametrize("modalities", [["rgb", "rgb"], ["rgb", ""], [""]])
def test_each_modality_needs_a_name_of_its_own(cluster_weights, modalities):
    assert "each needs a name of its own" in refusal(cluster_weights, modalities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].tolist()}, "fc1.bias is no NumPy array of floats"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].astype(str)}, "fc1.bias is no NumPy array of floats"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].astype(complex)}, "fc1.bias is no NumPy array of floats"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].astype(object)}, "fc1.bias is no NumPy array of floats"),
        (lambda w: {**w, "fc1.bias": None}, "fc1.bias is no NumPy array of floats"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"][:0]}, "fc1.bias is no NumPy array of floats, or an empty one"),
        (lambda w: {**w, 3: w["fc1.bias"]}, "the key 3; Paddle's names are text"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"] * np.nan}, "fc1.bias has values that are no finite"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"] - np.inf}, "fc1.bias has values that are no finite"),
        (lambda w: {**w, "fc1.bias": np.full(24, 1e300)}, "fc1.bias has values that are no finite"),
        (lambda w: 5, "cannot be read"),
        (lambda w: None, "cannot be read"),
    ],
)
def test_what_is_no_weights_is_one_line(cluster_weights, change, message):
    net = net_of(cluster_weights, ["rgb", "audio"])
    before = net.hidden[0].bias.data().asnumpy()
    with pytest.raises(ModelError, match=message) as refused:
        load_into(net, change(cluster_weights))
    assert "\n" not in str(refused.value)
    np.testing.assert_array_equal(net.hidden[0].bias.data().asnumpy(), before)


@pytest.mark.parametrize("dropout", [1.0, -0.1, float("nan")])
def test_a_sources_dropout_is_a_share(cluster_weights, dropout):
    with pytest.raises(ModelError, match=r"source_dropout is .*; it must be at least 0 and below 1"):
        load_into(net_of(cluster_weights, ["rgb", "audio"]), cluster_weights, source_dropout=dropout)


def test_values_for_a_net_of_other_sizes(cluster_weights):
    example = {"feature_dims": {"rgb": 3, "audio": 2}, "cluster_nums": 1, "num_classes": 7, "hidden_units": [5, 4]}
    net = zoo.create("attention_cluster", attention="fc1", shifting=True, dropout=0.0, **example)
    values = values_for(net, cluster_weights)
    assert set(values) == set(net._collect_params_with_prefix())
    np.testing.assert_array_equal(values["hidden.0.weight"], 0.5 * cluster_weights["fc1.weights"].T)
    np.testing.assert_array_equal(values["classifier.weight"], cluster_weights["logistic.weights"].T)
    cluster_weights["satt0.conv.weight"] = cluster_weights["satt0.conv.weight"][:, :, 0, 0]
    with pytest.raises(ModelError, match=r"satt0.conv.weight has shape \(4, 16\)"):
        values_for(net, cluster_weights)
