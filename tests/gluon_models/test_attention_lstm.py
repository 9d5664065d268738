import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models import zoo
from gluon_models.attention_lstm import AttentionLSTM, Encoder
from gluon_models.losses import SigmoidCrossEntropy
from gluon_models.paddle import load_into, sources

PUBLISHED = {"feature_dims": {"rgb": 1024, "audio": 128}, "num_classes": 3862, "embedding_size": 512,
             "lstm_size": 1024, "hidden_units": [8192, 4096], "dropout": 0.5}  # fmt: skip


@pytest.fixture
def paddle(golden):
    """Paddle's own network at a small size: weights, inputs, outputs and gradients."""
    return golden("lstm_small")


@pytest.fixture
def net(paddle):
    return net_of(paddle, dropout=0.0)


def net_of(paddle, dropout, mode="upscale_in_train"):
    net = zoo.create(
        "attention_lstm",
        feature_dims={"rgb": paddle["rgb"].shape[2], "audio": paddle["audio"].shape[2]},
        num_classes=paddle["label"].shape[1],
        embedding_size=int(paddle["embedding_size"]),
        lstm_size=int(paddle["lstm_size"]),
        hidden_units=paddle["fc"].tolist(),
        dropout=dropout,
        dropout_mode=mode,
    )
    load_into(net, {name[2:]: values for name, values in paddle.items() if name.startswith("w/")})
    return net


@pytest.mark.parametrize("hybridize", [True, False])
def test_paddles_outputs_and_gradients(paddle, net, hybridize):
    net.hybridize(hybridize)
    features = [mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])]
    with autograd.record():
        logits = net(features, mx.nd.array(paddle["length"]))
        loss = SigmoidCrossEntropy()(logits, mx.nd.array(paddle["label"])).sum()
    loss.backward()
    for actual, name in [(logits, "logit"), (logits.sigmoid(), "prob"), (loss, "loss")]:
        np.testing.assert_allclose(actual.asnumpy(), paddle[name], rtol=1e-5, atol=1e-5 * np.abs(paddle[name]).max())
    for source in sources(net):
        expected = source.to_ours(paddle[f"grad/{source.name}"])
        scale = max(np.abs(expected).max(), 1e-2)  # the gradient of a score's bias is 0 but for rounding
        np.testing.assert_allclose(source.parameter.grad().asnumpy(), expected, atol=1e-5 * scale)


@pytest.mark.parametrize("dropout", [0.2, 0.5])
@pytest.mark.parametrize("mode", ["upscale_in_train", "downgrade_in_infer"])
def test_paddles_outputs_whatever_dropout_our_net_has(paddle, dropout, mode):
    features = [mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])]
    net = net_of(paddle, dropout, mode)
    scale = {"upscale_in_train": 1.0, "downgrade_in_infer": 1.0 - dropout}[mode]
    assert [encoder.dropout.scale for encoder in net.encoders] == [scale, scale]
    logits = net(features, mx.nd.array(paddle["length"])).asnumpy()
    np.testing.assert_allclose(logits, paddle["logit"], rtol=1e-5, atol=1e-5 * np.abs(paddle["logit"]).max())


def test_lengths_are_not_ignored(paddle, net):
    """MXNet's own bidirectional LSTM ignores them on a CPU."""
    features = [mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])]
    whole = net(features, None).asnumpy()
    cut = net(features, mx.nd.full((len(whole),), 4)).asnumpy()
    assert np.abs(whole - cut).max() > 1e-3


def turned(outputs):
    """Both directions' outputs of one video, (n, H) each, in the order of its frames."""
    forwards, backwards = outputs  # (1, n, H) each
    return forwards[0], mx.nd.reverse(backwards[0], axis=0)


@pytest.mark.parametrize("hybridize", [True, False])
def test_attention_weights_are_those_of_paddles_outputs(paddle, net, hybridize):
    """The LSTM's outputs, summed by them, give Paddle's logits; and no weight is on the padding."""
    net.hybridize(hybridize, static_alloc=hybridize)
    features, lengths = [mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])], mx.nd.array(paddle["length"])
    net(features, lengths)
    weights = net.attention_weights(features, lengths)  # (B, 1, T) each
    for row, count in enumerate(paddle["length"].astype(int)):
        alone = [
            mx.nd.concat(*turned(encoder.attend(mx.nd, frames[row : row + 1, :count], None)[0]), dim=1)  # (n, 2 H)
            for encoder, frames in zip(net.encoders, features, strict=True)
        ]
        video = [mx.nd.dot(own[row, :, :count], frames) for own, frames in zip(weights, alone, strict=True)]  # (1, 2 H)
        logits = net.classifier(net.hidden(mx.nd.concat(*video, dim=1))).asnumpy()[0]  # (C,)
        np.testing.assert_allclose(logits, paddle["logit"][row], rtol=1e-5, atol=1e-5 * np.abs(paddle["logit"]).max())
        assert not any(own.asnumpy()[row, :, count:].any() for own in weights)


def test_published_net_has_the_published_size():
    net = zoo.create("attention_lstm", **PUBLISHED)
    assert sum(np.prod(parameter.shape) for parameter in net.collect_params().values()) == 108_737_304


@pytest.mark.parametrize("lengths", [None, [4, 2, 1]])
def test_gradients_by_central_differences(lengths, assert_gradients):
    mx.random.seed(1)
    encoder = Encoder(dim=3, embedding_size=4, lstm_size=2, dropout=0.0)
    encoder.initialize()
    encoder.cast("float64")
    frames = mx.nd.array(np.random.default_rng(0).normal(size=(3, 4, 3)), dtype="float64")
    lengths = None if lengths is None else mx.nd.array(lengths, dtype="int32")
    parameters = [parameter.data() for parameter in encoder.collect_params().values()]
    assert_gradients(lambda: encoder(frames, lengths), [frames, *parameters])


def test_initialisation_is_paddlevideos(wide_lstm):
    wide_lstm.initialize()
    encoder = wide_lstm.encoders[0]
    for parameter, bound in [
        (encoder.embedding.weight, np.sqrt(6 / (64 + 96))),
        (encoder.forwards.l0_i2h_weight, 0.2),
        (encoder.backwards.l0_h2h_weight, 0.2),
        (encoder.forwards.l0_h2h_bias, 0.2),
        (encoder.backwards.l0_i2h_bias, 0.2),
        (encoder.score.weight, np.sqrt(6 / (50 + 1))),
        (wide_lstm.hidden[0].weight, np.sqrt(6 / (50 + 200))),
        (wide_lstm.classifier.weight, np.sqrt(6 / (200 + 300))),
    ]:
        values = parameter.data().asnumpy()
        assert 0.9 * bound < np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / np.sqrt(3), rel=4 / np.sqrt(values.size))
    for zero in (encoder.embedding.bias, encoder.score.bias):
        assert not zero.data().asnumpy().any()
    for normal in (wide_lstm.hidden[0].bias, wide_lstm.classifier.bias):
        assert normal.data().asnumpy().std() == pytest.approx(1.0, rel=0.3)


def test_last_hidden_layer_is_tanh_and_those_before_it_relu():
    net = AttentionLSTM(**{**AttentionLSTM.examples[0], "hidden_units": [4, 5, 6]})
    assert [layer.act._act_type for layer in net.hidden] == ["relu", "relu", "tanh"]
