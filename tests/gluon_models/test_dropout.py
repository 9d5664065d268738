import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models.dropout import Dropout
from gluon_models.errors import ModelError

INPUTS = mx.nd.array(np.random.default_rng(0).normal(size=(40, 50)))


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize(
    ("mode", "in_training", "in_evaluation"), [("upscale_in_train", 1.25, 1.0), ("downgrade_in_infer", 1.0, 0.8)]
)
def test_what_is_scaled(hybridize, mode, in_training, in_evaluation):
    dropout = Dropout(0.2, mode)
    dropout.hybridize(hybridize)
    inputs = INPUTS.copy()
    inputs.attach_grad()
    with autograd.record():
        kept = dropout(inputs)
    kept.backward()
    mask = kept.asnumpy() != 0
    assert 0.75 < mask.mean() < 0.85
    np.testing.assert_allclose(kept.asnumpy(), INPUTS.asnumpy() * mask * in_training, rtol=1e-6)
    np.testing.assert_allclose(inputs.grad.asnumpy(), mask * in_training, rtol=1e-6)
    np.testing.assert_allclose(dropout(INPUTS).asnumpy(), INPUTS.asnumpy() * in_evaluation, rtol=1e-6)


@pytest.mark.parametrize("mode", ["upscale_in_train", "downgrade_in_infer"])
def test_nothing_is_dropped_at_a_rate_of_0(mode):
    with autograd.train_mode():
        np.testing.assert_array_equal(Dropout(0.0, mode)(INPUTS).asnumpy(), INPUTS.asnumpy())


@pytest.mark.parametrize(
    ("rate", "mode", "message"),
    [
        (1.0, "upscale_in_train", "dropout is 1.0; it must be at least 0 and below 1"),
        (-0.1, "downgrade_in_infer", "dropout is -0.1"),
        (float("nan"), "upscale_in_train", "dropout is nan"),
        (0.5, "downscale", "dropout_mode is 'downscale'; it must be 'upscale_in_train' or 'downgrade_in_infer'"),
    ],
)
def test_what_is_none_is_refused(rate, mode, message):
    with pytest.raises(ModelError, match=message):
        Dropout(rate, mode)
