import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import SymbolBlock

from gluon_models import zoo
from gluon_models.dequantize import Dequantized, dequantize


def test_the_rule_of_youtube8m():
    values = dequantize(mx.nd, mx.nd.arange(256, dtype="uint8"), 4 / 512 - 2, 4 / 512 + 2)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.asnumpy(), np.arange(256) * 4 / 255 + 4 / 512 - 2, atol=1e-6)
    np.testing.assert_allclose(values.asnumpy()[[0, 255]], [-1.992188, 2.007812], atol=1e-6)


@pytest.fixture(params=zoo.names())
def example(request):
    return request.param, zoo.find(request.param).examples[0]


@pytest.fixture
def net(example):
    mx.random.seed(0)
    net = zoo.create(example[0], **example[1])
    net.initialize()
    return net


@pytest.fixture
def features(example):
    rng, dims = np.random.default_rng(0), example[1]["feature_dims"].values()
    return [mx.nd.array(rng.integers(0, 256, size=(2, 5, dim)), dtype="uint8") for dim in dims]


@pytest.fixture
def ranges(example):
    """Another one for each modality."""
    return {modality: (-2.0 + index, 2.0) for index, modality in enumerate(example[1]["feature_dims"])}


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize("lengths", [None, mx.nd.array([5, 2], dtype="int32")])
def test_bytes_give_the_numbers_of_floats(net, features, ranges, hybridize, lengths):
    floats = [dequantize(mx.nd, array, *limits) for array, limits in zip(features, ranges.values(), strict=True)]
    expected = net(floats, lengths).asnumpy()
    all_bytes, all_but_the_last = Dequantized(net, ranges), Dequantized(net, {**ranges, [*ranges][-1]: None})
    all_bytes.hybridize(hybridize)
    all_but_the_last.hybridize(hybridize)
    np.testing.assert_allclose(all_bytes(features, lengths).asnumpy(), expected, atol=1e-6)
    mixed = [*features[:-1], floats[-1]]
    np.testing.assert_allclose(all_but_the_last(mixed, lengths).asnumpy(), expected, atol=1e-6)


def test_padding_stays_unseen(net, features, ranges):
    wrapped, lengths = Dequantized(net, ranges), mx.nd.array([3, 1], dtype="int32")
    expected = wrapped(features, lengths).asnumpy()
    for array in features:
        array[0, 3:] = 255
        array[1, 1:] = 255
    np.testing.assert_array_equal(wrapped(features, lengths).asnumpy(), expected)


def test_exported_net_takes_bytes(net, features, ranges, tmp_path):
    wrapped, lengths = Dequantized(net, ranges), mx.nd.array([5, 2], dtype="int32")
    wrapped.hybridize()
    expected = wrapped(features, lengths).asnumpy()
    wrapped.export(str(tmp_path / "net"))
    imported = SymbolBlock.imports(
        str(tmp_path / "net-symbol.json"),
        [f"data{index}" for index in range(len(features) + 1)],
        str(tmp_path / "net-0000.params"),
    )
    np.testing.assert_allclose(imported(*features, lengths).asnumpy(), expected, atol=1e-6)
