"""Both ways to multiply are the same layer, whatever knows the number of videos."""

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from gluon_models import graphs, zoo
from gluon_models.video_dense import LARGE, VideoDense, rows_known

IN, UNITS = 1024, 256  # just large
MODEL = {
    "feature_dims": {"rgb": 64, "audio": 8}, "num_classes": 10, "cluster_nums": 16, "attention": "fc1",
    "shifting": True, "hidden_units": [256, 1024], "dropout": 0.0,
}  # fmt: skip
LSTM = {
    "feature_dims": {"rgb": 6, "audio": 3}, "num_classes": 5, "embedding_size": 4, "lstm_size": 3, "hidden_units": [7],
    "dropout": 0.0,
}  # fmt: skip


def layers(activation, units=UNITS):
    fast = VideoDense(units, activation=activation, in_units=IN, bias_initializer=mx.init.Normal(1.0))
    fast.initialize()
    plain = nn.Dense(units, activation=activation, in_units=IN)
    plain.initialize()
    for name, own in fast._collect_params_with_prefix().items():
        plain._collect_params_with_prefix()[name].set_data(own.data())
    return fast, plain


def learn(layer, values):
    """Outputs, and the gradients of the input, the weights and the biases."""
    x = mx.nd.array(values)  # (B, IN)
    x.attach_grad()
    with autograd.record():
        y = layer(x)  # (B, UNITS)
        total = (y * y).sum()
    total.backward()
    return [own.asnumpy() for own in (y, x.grad, layer.weight.grad(), layer.bias.grad())]


@pytest.mark.parametrize("activation", [None, "tanh", "relu"])
@pytest.mark.parametrize("rows", [1, 7, UNITS + 3])
def test_values_and_gradients_are_those_of_a_dense_layer(activation, rows):
    assert IN * UNITS >= LARGE
    values = np.random.default_rng(0).standard_normal((rows, IN)).astype(np.float32)
    for own, expected in zip(*(learn(layer, values) for layer in layers(activation)), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_names_come_in_the_order_of_dense_layers():
    """Optimizers find their states in a checkpoint by it."""
    net = zoo.create("attention_lstm", **LSTM)
    names = sorted(net.collect_params())
    blocks = [name.split("_")[1] for name in names]
    assert list(dict.fromkeys(blocks)) == ["dense0", "dense1", "encoder0", "encoder1"]
    assert sum("_dense" in name for name in names) == 4 + 2 * 4


@pytest.mark.parametrize("context", [mx.cpu(0), mx.cpu(1)])
def test_gradients_are_added_where_that_is_asked_for(context):
    layer, _ = layers("tanh")
    layer.collect_params().reset_ctx(context)
    x = mx.nd.random.normal(shape=(6, IN), ctx=context)
    found = []
    for pieces in ([x], [x[:4], x[4:]]):
        layer.weight.grad_req = "add"
        layer.weight.zero_grad()
        for piece in pieces:
            with autograd.record():
                total = layer(piece).sum()
            total.backward()
        found.append(layer.weight.grad(context).asnumpy())
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)


def operators(symbol):
    return symbol.tojson().count('"op": "FullyConnected"')


def test_a_symbol_takes_any_number_of_videos_unless_it_is_said():
    (layer, _), (small, _) = layers("tanh"), layers(None, units=8)
    x = mx.sym.var("x")
    assert operators(layer(x)) == 1
    with rows_known(5):
        assert operators(layer(x)) == 2
        assert operators(small(x)) == 1, "a small layer gains nothing"
        with rows_known(None):
            assert operators(layer(x)) == 1
        assert operators(layer(x)) == 2
    assert operators(layer(x)) == 1


@pytest.mark.parametrize("name", ["attention_cluster"])
def test_a_compiled_net_follows_the_number_of_videos(name):
    """Training and evaluation by turns, batches of several sizes, as a run has them: as without compiling."""
    random = np.random.default_rng(1)
    plain, compiled = zoo.create(name, **MODEL), zoo.create(name, **MODEL)
    for net in (plain, compiled):
        net.initialize()
    for parameter, own in zip(plain.collect_params().values(), compiled.collect_params().values(), strict=True):
        own.set_data(parameter.data())
    compiled.hybridize(static_alloc=True, static_shape=True)
    for rows, training in ((6, True), (6, True), (2, True), (6, False), (3, False), (6, True)):
        features = [mx.nd.array(random.standard_normal((rows, 5, width))) for width in (64, 8)]
        outputs, gradients = [], []
        for net in (plain, compiled):
            with autograd.record(train_mode=training):
                logits = net(features)  # (B, C)
                total = (logits * logits).sum()
            total.backward()
            outputs.append(logits.asnumpy())
            gradients.append(net.hidden[0].weight.grad().asnumpy())
        np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-5 * np.abs(gradients[0]).max())
    graphs.release(compiled)
