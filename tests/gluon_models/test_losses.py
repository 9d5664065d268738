import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import Parameter, Trainer

from gluon_models.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy


def test_sigmoid_cross_entropy_is_summed_over_classes():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(4, 7)) * 3, (rng.random(size=(4, 7)) < 0.3).astype(float)
    probabilities = 1 / (1 + np.exp(-logits))
    expected = -(labels * np.log(probabilities) + (1 - labels) * np.log(1 - probabilities)).sum(axis=1)
    loss = SigmoidCrossEntropy()(mx.nd.array(logits), mx.nd.array(labels))
    assert loss.shape == (4,)
    np.testing.assert_allclose(loss.asnumpy(), expected, rtol=1e-5)


def test_softmax_cross_entropy_is_minus_log_of_the_true_class():
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(4, 7)) * 3, np.array([6, 0, 3, 3])
    expected = -np.log(np.exp(logits)[range(4), classes] / np.exp(logits).sum(axis=1))
    loss = SoftmaxCrossEntropy()(mx.nd.array(logits), mx.nd.array(np.eye(7)[classes]))
    assert loss.shape == (4,)
    np.testing.assert_allclose(loss.asnumpy(), expected, atol=1e-5)  # the precision of MXNet's log_softmax


def test_sigmoid_cross_entropy_is_exact_over_many_unlikely_classes():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(-9, 3, size=(4, 3862)).astype(np.float32), rng.random(size=(4, 3862)) < 0.001
    array = mx.nd.array(logits)
    array.attach_grad()
    with autograd.record():
        loss = SigmoidCrossEntropy()(array, mx.nd.array(labels))
    loss.backward()
    x = logits.astype(np.float64)
    np.testing.assert_allclose(loss.asnumpy(), (np.logaddexp(0, x) - x * labels).sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(array.grad.asnumpy(), 1 / (1 + np.exp(-x)) - labels, rtol=1e-6)


def test_sigmoid_cross_entropy_has_its_gradient_at_0_too():
    logits = mx.nd.zeros((1, 2))
    logits.attach_grad()
    with autograd.record():
        loss = SigmoidCrossEntropy()(logits, mx.nd.array([[0, 1]]))
    loss.backward()
    np.testing.assert_array_equal(logits.grad.asnumpy(), [[0.5, -0.5]])


@pytest.mark.parametrize("loss", [SigmoidCrossEntropy, SoftmaxCrossEntropy])
def test_extreme_logits_give_finite_losses_and_gradients(loss):
    logits = mx.nd.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 1000.0]])
    logits.attach_grad()
    with autograd.record():
        value = loss()(logits, mx.nd.array([[0, 1, 0], [1, 0, 0]]))
    value.backward()
    assert (value.asnumpy() >= 1000).all()
    assert np.isfinite(value.asnumpy()).all()
    assert np.isfinite(logits.grad.asnumpy()).all()


@pytest.mark.parametrize("loss", [SigmoidCrossEntropy, SoftmaxCrossEntropy])
def test_gradients_by_central_differences(loss, assert_gradients):
    logits = mx.nd.array(np.random.default_rng(0).normal(size=(3, 5)) * 2, dtype="float64")
    labels = mx.nd.array(np.eye(5)[[0, 4, 2]], dtype="float64")
    assert_gradients(lambda: loss()(logits, labels), [logits])


@pytest.mark.parametrize(("divisor", "expected"), [(3, "mean"), (1, "sum")])
def test_the_step_of_the_trainer_scales_the_loss(divisor, expected):
    """As the module says: step(B) follows the mean over the batch, step(1) the sum."""
    logits = Parameter("logits", shape=(3, 5))
    logits.initialize("zeros")
    trainer = Trainer([logits], "sgd", {"learning_rate": 1.0})
    with autograd.record():
        loss = SigmoidCrossEntropy()(logits.data(), mx.nd.zeros((3, 5)))
    loss.backward()
    trainer.step(divisor)
    np.testing.assert_allclose(logits.data().asnumpy(), -0.5 / (3 if expected == "mean" else 1), rtol=1e-6)
