"""What every model of the zoo promises, tried at the sizes of its own `examples`."""

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import SymbolBlock

from gluon_models import zoo

BATCH, FRAMES = 3, 6
JUNK = 1e30
CASES = [(name, index) for name in zoo.names() for index in range(len(zoo.find(name).examples))]


@pytest.fixture(params=CASES, ids=[f"{name}-{index}" for name, index in CASES])
def case(request):
    name, index = request.param
    return name, zoo.find(name).examples[index]


def make(case, seed=7):
    name, arguments = case
    mx.random.seed(seed)
    net = zoo.create(name, **arguments)
    net.initialize()
    return net


def features_of(case, batch=BATCH, frames=FRAMES):
    rng = np.random.default_rng(1)
    widths = case[1]["feature_dims"].values()
    return [mx.nd.array(rng.normal(size=(batch, frames, width)), dtype="float32") for width in widths]


def lengths_of(case):
    """(batch, modalities), every video and modality with a count of its own, one of them 0."""
    modalities = len(case[1]["feature_dims"])
    return mx.nd.array(np.array([[FRAMES, 3, 1], [2, 0, 5], [1, 4, 2]])[:, :modalities], dtype="int32")


def all_lengths(case):
    return [None, mx.nd.array([FRAMES, 2, 1], dtype="int64"), lengths_of(case).astype("float32")]


def logits_and_gradients(net, features, lengths):
    """Values without dropout, and the gradient of every parameter."""
    with autograd.record(train_mode=False):
        logits = net(features, lengths)
        weighted = logits * mx.nd.arange(1, logits.shape[1] + 1).reshape((1, -1))
    weighted.backward()
    return logits.asnumpy(), [parameter.grad().asnumpy() for parameter in net.collect_params().values()]


def assert_same(actual, expected):
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(actual[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_logits_have_a_row_a_video_and_a_column_a_class(case):
    for lengths in all_lengths(case):
        logits = make(case)(features_of(case), lengths)
        assert logits.shape == (BATCH, case[1]["num_classes"])
        assert logits.dtype == np.float32


def test_every_shape_is_known_at_construction(case):
    net = zoo.create(case[0], **case[1])
    assert all(np.prod(parameter.shape) > 0 for parameter in net.collect_params().values())


def test_hybridized_equals_imperative_in_any_order_of_calls(case):
    net, hybrid = make(case), make(case)
    hybrid.hybridize(static_alloc=True)
    for lengths in all_lengths(case) * 2:
        features = features_of(case)
        assert_same(logits_and_gradients(hybrid, features, lengths), logits_and_gradients(net, features, lengths))


@pytest.mark.parametrize("hybridize", [True, False])
def test_padding_changes_nothing(case, hybridize):
    net = make(case)
    net.hybridize(hybridize)
    features = features_of(case)
    for count in range(1, FRAMES):
        cut = [array[:, :count] for array in features]
        padded = [array.copy() for array in features]
        for array in padded:
            array[:, count:] = JUNK
        expected = logits_and_gradients(net, cut, None)
        assert_same(logits_and_gradients(net, padded, mx.nd.full((BATCH,), count)), expected)


def test_a_video_does_not_feel_the_others(case):
    net, features, lengths = make(case), features_of(case), lengths_of(case)
    together = net(features, lengths).asnumpy()
    for index in range(BATCH):
        alone = net([array[index : index + 1] for array in features], lengths[index : index + 1]).asnumpy()
        np.testing.assert_allclose(alone, together[index : index + 1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("value", [0.0, 1.0, JUNK])
def test_a_video_of_no_or_one_frame_is_finite(case, count, value):
    features = [array * 0 + value for array in features_of(case)]
    for array in features:
        array[:, :count] = 1.0
    logits, gradients = logits_and_gradients(make(case), features, mx.nd.full((BATCH,), count))
    assert np.isfinite(logits).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_saved_parameters_give_the_same_numbers(case, tmp_path):
    net, other = make(case, seed=7), make(case, seed=8)
    expected = net(features_of(case), lengths_of(case)).asnumpy()
    assert not np.allclose(other(features_of(case), lengths_of(case)).asnumpy(), expected)
    net.save_parameters(str(tmp_path / "net.params"))
    other.load_parameters(str(tmp_path / "net.params"))
    np.testing.assert_array_equal(other(features_of(case), lengths_of(case)).asnumpy(), expected)


def test_exported_net_gives_the_same_numbers(case, tmp_path):
    net = make(case)
    net.hybridize()
    for lengths in all_lengths(case):
        inputs = features_of(case) + ([] if lengths is None else [lengths])
        expected = net(features_of(case), lengths).asnumpy()
        net.export(str(tmp_path / "net"))
        imported = SymbolBlock.imports(
            str(tmp_path / "net-symbol.json"),
            [f"data{index}" for index in range(len(inputs))] if len(inputs) > 1 else ["data"],
            str(tmp_path / "net-0000.params"),
        )
        np.testing.assert_allclose(imported(*inputs).asnumpy(), expected, rtol=1e-6, atol=1e-6)


def test_attention_weights_are_shares_of_the_real_frames(case):
    net, lengths = make(case), lengths_of(case)
    if not hasattr(net, "attention_weights"):
        pytest.skip("this model has no attention")
    net.hybridize()
    for weights, counts in zip(net.attention_weights(features_of(case), lengths), lengths.asnumpy().T, strict=True):
        weights = weights.asnumpy()  # (B, N, T)
        assert (weights >= 0).all()
        np.testing.assert_allclose(
            weights.sum(axis=2), np.minimum(counts, 1)[:, None].repeat(weights.shape[1], 1), atol=1e-6
        )
        for video, count in zip(weights, counts, strict=True):
            assert not video[:, count:].any()
