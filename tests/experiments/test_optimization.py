from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from datasets.loader import Batch
from experiments import registry
from experiments.errors import UserError
from experiments.optimization import make_schedule, make_trainer
from experiments.training import update
from gluon_models import zoo
from gluon_models.losses import SigmoidCrossEntropy

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


OUTPUT_BIASES = {"hidden.0.bias", "hidden.1.bias", "classifier.bias"}
FRAME_BIASES = {
    f"encoder_{modality}.{layer}"
    for modality in ("rgb", "audio")
    for layer in ("embedding.bias", "forwards._unfused.0.i2h_bias", "backwards._unfused.0.i2h_bias", "score.bias")
}


@pytest.mark.parametrize(
    ("experiment", "exempt"),
    [
        ("attention_cluster_flash_mnist", set()),
        ("attention_cluster_youtube8m", set()),
        ("attention_lstm_flash_mnist", set()),
        ("attention_lstm_youtube8m", OUTPUT_BIASES),
        ("attention_lstm_youtube8m_static", OUTPUT_BIASES | FRAME_BIASES),
    ],
)
def test_what_the_source_exempts_from_decay_and_nothing_else(experiment, exempt):
    model = small_model(experiment)
    make_trainer(model, registry.load(experiment).training)
    parameters = model._collect_params_with_prefix()
    assert {name for name, parameter in parameters.items() if parameter.wd_mult == 0} == exempt
    assert {parameter.wd_mult for name, parameter in parameters.items() if name not in exempt} == {1.0}


def small_model(experiment):
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
    return model


@pytest.mark.parametrize("loss_scale", [1.0, 128.0])
def test_a_step_follows_the_mean_over_the_batch_times_loss_scale(loss_scale):
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(4, 1, 3)).astype(np.float32), rng.random((4, 2)) < 0.5
    start = rng.normal(size=(2, 3))
    layer = dense_layer(start)
    recipe = replace(
        registry.load("attention_lstm_youtube8m").training,
        loss_scale=loss_scale,
        optimizer="sgd",
        optimizer_params={},
        learning_rate=0.01,
        weight_decay=0.1,
        weight_decay_exempt=[],
    )
    batch = Batch([inputs], None, labels.astype(np.float32), np.arange(4), total=4)
    loss = update(OfFrames(layer), SigmoidCrossEntropy(), make_trainer(layer, recipe), batch, [mx.cpu()], loss_scale)

    logits = inputs[:, 0] @ start.T + 1  # the bias is 1
    error = 1 / (1 + np.exp(-logits)) - labels
    expected = start - 0.01 * (loss_scale * error.T @ inputs[:, 0] / 4 + 0.1 * start)
    np.testing.assert_allclose(layer.weight.data().asnumpy(), expected, rtol=1e-5, atol=1e-6)
    assert loss.asscalar() == pytest.approx((np.logaddexp(0, logits) - logits * labels).sum(), rel=1e-5)


class OfFrames(nn.HybridBlock):
    """A layer on the first frame of one modality, called as the models are."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def hybrid_forward(self, F, features, lengths=None):
        return self.layer(F.flatten(features[0]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adamm"}, "no optimizer named adamm; did you mean adam"),
        ({"optimizer_params": {"beta3": 1}}, "beta3"),
        ({"optimizer_params": {"beta1": 1.0}}, "cannot take a step with .*optimizer_params={'beta1': 1.0}: .*zero"),
        ({"optimizer": "rmsprop", "optimizer_params": {"epsilon": -1.0}}, "rmsprop cannot .* no finite number"),
        ({"learning_rate": 1e300}, "learning_rate=1e[+]300, .*: MXNetError: Out of range value for lr"),
        ({"learning_rate": 10**400}, "cannot take a step with learning_rate=1000"),
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
