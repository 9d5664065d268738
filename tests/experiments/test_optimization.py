from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from experiments import registry
from experiments.errors import UserError
from experiments.optimization import make_schedule, make_trainer
from gluon_models import zoo

STEPS = 20


def adam(recipe, weight, gradients):
    """As PaddlePaddle's adam: the bias corrections are in the rate, epsilon outside of them."""
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = recipe.learning_rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weight = weight - rate * first / (np.sqrt(second) + 1e-8)
    return weight


def centred_rmsprop(recipe, weight, gradients):
    """As PaddlePaddle's rmsprop with centered=True and momentum 0; L2 is added to the gradient."""
    square, mean = np.zeros_like(weight), np.zeros_like(weight)
    for gradient in gradients:
        gradient = gradient + recipe.weight_decay * weight
        square = 0.95 * square + 0.05 * gradient**2
        mean = 0.95 * mean + 0.05 * gradient
        weight = weight - recipe.learning_rate * gradient / np.sqrt(square - mean**2 + 1e-6)
    return weight


@pytest.mark.parametrize(
    ("experiment", "rule"),
    [
        ("attention_cluster_flash_mnist", adam),
        ("attention_cluster_youtube8m", adam),
        ("attention_lstm_youtube8m", centred_rmsprop),
        ("attention_lstm_youtube8m_static", centred_rmsprop),
    ],
)
def test_twenty_steps_follow_the_published_rule(experiment, rule):
    recipe = registry.load(experiment).training
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(STEPS, 3, 4))
    start = rng.normal(size=(3, 4))
    layer = dense_layer(start)
    trainer = make_trainer(layer, replace(recipe, weight_decay_exempt=[]))
    for gradient in gradients:
        follow(layer.weight, gradient, trainer)
    assert np.abs(layer.weight.data().asnumpy() - rule(recipe, start, gradients)).max() < 1e-6


def dense_layer(weight):
    layer = nn.Dense(weight.shape[0], in_units=weight.shape[1])
    layer.initialize()
    layer.weight.set_data(mx.nd.array(weight))
    layer.bias.set_data(mx.nd.ones(weight.shape[0]))
    return layer


def follow(parameter, gradient, trainer):
    """One step of ``trainer`` along ``gradient``."""
    with autograd.record():
        loss = (parameter.data() * mx.nd.array(gradient)).sum()
    loss.backward()
    trainer.step(1, ignore_stale_grad=True)


def test_what_is_exempt_does_not_decay():
    recipe = replace(registry.load("attention_lstm_youtube8m").training, weight_decay=0.1, weight_decay_exempt=["bias"])
    layer = dense_layer(np.ones((2, 2)))
    trainer = make_trainer(layer, recipe)
    with autograd.record():
        loss = (layer.weight.data() * 0).sum() + (layer.bias.data() * 0).sum()
    loss.backward()
    trainer.step(1)
    assert np.all(layer.weight.data().asnumpy() < 1)
    assert np.all(layer.bias.data().asnumpy() == 1)


@pytest.mark.parametrize("experiment", [name for name in registry.names() if "lstm" in name or "cluster" in name])
def test_every_exempt_pattern_names_a_parameter(experiment):
    entry = registry.load(experiment)
    small = {
        "embedding_size": 2,
        "lstm_size": 2,
        "cluster_nums": 2,
        "hidden_units": [2] * len(entry.model["hidden_units"]),
    }
    arguments = {key: small.get(key, value) for key, value in entry.model.items() if key != "name"}
    model = zoo.create(entry.model["name"], feature_dims={"rgb": 3, "audio": 2}, num_classes=4, **arguments)
    model.initialize()
    make_trainer(model, entry.training)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adamm"}, "no optimizer named adamm; did you mean adam"),
        ({"optimizer_params": {"beta3": 1}}, "beta3"),
        ({"weight_decay_exempt": ["biass"]}, "biass names no parameter of Dense"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_line(changes, message):
    recipe = replace(registry.load("attention_cluster_flash_mnist").training, **changes)
    with pytest.raises(UserError, match=message) as raised:
        make_trainer(dense_layer(np.ones((2, 2))), recipe)
    assert "\n" not in str(raised.value)


def test_the_rate_falls_after_the_epochs_that_the_recipe_names():
    recipe = registry.load("attention_lstm_youtube8m").training
    schedule = make_schedule(recipe, steps_per_epoch=7)
    rates = [schedule(step) for step in range(70)]
    expected = [2.5e-4] * 35 + [2.5e-5] * 21 + [2.5e-6] * 14
    assert np.allclose(rates, expected, rtol=1e-12)


def test_without_decay_the_rate_is_constant():
    schedule = make_schedule(registry.load("attention_cluster_youtube8m").training, steps_per_epoch=3)
    assert {schedule(step) for step in range(30)} == {0.001}
