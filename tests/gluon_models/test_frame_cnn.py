import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models.frame_cnn import FrameCNN


@pytest.fixture
def net():
    mx.random.seed(0)
    net = FrameCNN()
    net.initialize()
    return net


FRAMES = mx.nd.array(np.random.default_rng(0).normal(size=(3, 1, 28, 28)))


@pytest.mark.parametrize("hybridize", [True, False])
def test_local_feature_is_50_logarithms_of_probabilities(net, hybridize):
    net.features.hybridize(hybridize)
    features = net.features(FRAMES)
    assert features.shape == (3, 50)
    np.testing.assert_allclose(features.exp().sum(axis=1).asnumpy(), 1.0, rtol=1e-5)


def test_logits_are_of_the_local_feature(net):
    logits = net(FRAMES)
    assert logits.shape == (3, 11)
    np.testing.assert_array_equal(logits.asnumpy(), net.classifier(net.features(FRAMES)).asnumpy())


def test_size_is_the_authors(net):
    sizes = [parameter.data().size for parameter in net.collect_params().values()]
    assert sizes == [10 * 25, 10, 20 * 10 * 25, 20, 50 * 320, 50, 11 * 50, 11]


def test_initialisation_is_torchs(net):
    for block, fan_in in [
        (net.features.layers[0], 25),
        (net.features.layers[3], 250),
        (net.features.layers[7], 320),
    ]:
        for parameter in (block.weight, block.bias):
            values = np.abs(parameter.data().asnumpy())
            assert values.max() <= 1 / np.sqrt(fan_in)
            assert values.max() > 0.7 / np.sqrt(fan_in)


def test_dropout_drops_whole_maps(net):
    maps = mx.nd.ones((4, 20, 8, 8))
    with autograd.train_mode():
        kept = net.features.layers[4](maps).asnumpy().reshape(80, 64)
    assert set(np.unique(kept)) == {0.0, 2.0}
    assert (kept == kept[:, :1]).all()
