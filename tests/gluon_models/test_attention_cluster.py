import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models import zoo
from gluon_models.attention_cluster import AttentionCluster
from gluon_models.errors import ModelError
from gluon_models.losses import SigmoidCrossEntropy
from gluon_models.paddle import load_into, sources

SMALL = AttentionCluster.examples[0]
MODES = ["upscale_in_train", "downgrade_in_infer"]
PUBLISHED = {"feature_dims": {"rgb": 1024, "audio": 128}, "num_classes": 3862, "cluster_nums": 32,
             "attention": "fc1", "shifting": True, "hidden_units": [1024, 4096], "dropout": 0.5}  # fmt: skip


@pytest.fixture
def paddle(golden):
    """Paddle's own network at a small size: weights, inputs, outputs and gradients."""
    return golden("ac_small")


def net_of(paddle, dropout, mode="upscale_in_train", source_dropout=0.5):
    net = zoo.create(
        "attention_cluster",
        feature_dims={"rgb": paddle["rgb"].shape[2], "audio": paddle["audio"].shape[2]},
        num_classes=paddle["label"].shape[1],
        cluster_nums=paddle["cluster_nums"].tolist(),
        attention="fc1",
        shifting=True,
        hidden_units=paddle["fc"].tolist(),
        dropout=dropout,
        dropout_mode=mode,
    )
    load_into(net, {name[2:]: values for name, values in paddle.items() if name.startswith("w/")}, source_dropout)
    return net


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize(("source_dropout", "prefix"), [(0.0, "nodrop"), (0.5, "eval_drop05")])
@pytest.mark.parametrize("dropout", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("mode", MODES)
def test_paddles_outputs(paddle, hybridize, source_dropout, prefix, dropout, mode):
    """In evaluation they are Paddle's, whatever dropout our net has."""
    net = net_of(paddle, dropout, mode, source_dropout)
    net.hybridize(hybridize)
    logits = net([mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])], None)
    loss = SigmoidCrossEntropy()(logits, mx.nd.array(paddle["label"])).mean()
    for actual, name in [(logits, "logit"), (logits.sigmoid(), "prob"), (loss, "loss")]:
        expected = paddle[f"{prefix}_{name}"]
        np.testing.assert_allclose(actual.asnumpy(), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("hybridize", [True, False])
def test_paddles_gradients(paddle, hybridize):
    net = net_of(paddle, dropout=0.0, source_dropout=0.0)
    net.hybridize(hybridize)
    with autograd.record():
        logits = net([mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])], None)
        loss = SigmoidCrossEntropy()(logits, mx.nd.array(paddle["label"])).mean()
    loss.backward()
    for source in sources(net, source_dropout=0.0):
        expected = source.to_ours(paddle[f"grad/{source.name}"])
        scale = max(np.abs(expected).max(), 1e-2)  # the gradient of a score's bias is 0 but for rounding
        np.testing.assert_allclose(source.parameter.grad().asnumpy(), expected, atol=1e-5 * scale)


@pytest.mark.parametrize("mode", MODES)
def test_paddles_dropout_in_training(paddle, mode):
    """Fluid's dropout does not scale what it keeps, and its weights expect that."""
    net, without = net_of(paddle, 0.5, mode), net_of(paddle, 0.0, source_dropout=0.0)
    inputs = mx.nd.array(np.random.default_rng(0).normal(size=(4, paddle["fc"][0] * 4)))
    with autograd.train_mode():
        kept = net.dropout(inputs)
    mask = kept != 0
    np.testing.assert_array_equal(kept.asnumpy(), (inputs * mask * {MODES[0]: 2, MODES[1]: 1}[mode]).asnumpy())
    assert 0.3 < mask.mean().asscalar() < 0.7
    expected = without.hidden[0](inputs * mask)
    np.testing.assert_allclose(net.hidden[0](kept).asnumpy(), expected.asnumpy(), rtol=1e-5, atol=1e-6)


def test_published_net_has_the_published_size():
    net = zoo.create("attention_cluster", **PUBLISHED)
    assert sum(np.prod(parameter.shape) for parameter in net.collect_params().values()) == 57_807_830


def test_cluster_nums_by_number_list_or_name():
    for form in ([3, 2], {"audio": 2, "rgb": 3}):
        net = zoo.create("attention_cluster", **{**SMALL, "cluster_nums": form})
        assert [cluster.alpha.shape for cluster in net.clusters] == [(3,), (2,)]
    net = zoo.create("attention_cluster", **{**SMALL, "cluster_nums": 4})
    assert [cluster.alpha.shape for cluster in net.clusters] == [(4,), (4,)]


@pytest.mark.parametrize("form", [[1, 2, 3], {"rgb": 3}, {"rgb": 3, "flow": 2}])
def test_cluster_nums_must_fit_the_modalities(form):
    with pytest.raises(ModelError, match="cluster_nums"):
        zoo.create("attention_cluster", **{**SMALL, "cluster_nums": form})


def test_any_number_of_modalities():
    dims = {"rgb": 4, "flow": 3, "audio": 2}
    net = zoo.create("attention_cluster", **{**SMALL, "feature_dims": dims, "cluster_nums": 2})
    net.initialize()
    features = [mx.nd.ones((2, 5, dim)) for dim in dims.values()]
    assert net(features, mx.nd.array([[5, 0, 3], [1, 2, 4]])).shape == (2, 5)


def test_initialisation_is_paddles():
    mx.random.seed(0)
    dims = {"rgb": 512, "audio": 128}
    arguments = {**PUBLISHED, "feature_dims": dims, "cluster_nums": 128, "hidden_units": [256]}
    net = zoo.create("attention_cluster", **arguments)
    net.initialize()
    cluster, width = net.clusters[0], 128 * (512 + 128)
    for parameter, std in [
        (cluster.attention.score.weight, np.sqrt(2 / 512)),
        (cluster.attention.score.bias, np.sqrt(2 / 128)),
        (cluster.alpha, 128**-0.25),
        (cluster.beta, 128**-0.25),
        (net.hidden[0].weight, np.sqrt(2 / width)),
        (net.hidden[0].bias, np.sqrt(2 / 256)),
        (net.classifier.weight, np.sqrt(2 / 256)),
        (net.classifier.bias, np.sqrt(2 / 3862)),
    ]:
        values = parameter.data().asnumpy()
        assert values.std() == pytest.approx(std, rel=4 / np.sqrt(values.size))
        assert abs(values.mean()) < 5 * std / np.sqrt(values.size)
    for bias, bound in [
        (cluster.attention.score.bias, np.sqrt(6 / 128)),
        (net.hidden[0].bias, np.sqrt(6 / 256)),
    ]:
        assert 0.9 * bound < np.abs(bias.data().asnumpy()).max() <= bound


@pytest.mark.parametrize(("dropout", "prefix"), [(0.0, "nodrop"), (0.5, "eval_drop05")])
@pytest.mark.parametrize("mode", MODES)
def test_unless_told_the_source_has_the_nets_dropout(paddle, dropout, prefix, mode):
    net = net_of(paddle, dropout, mode, source_dropout=None)
    logits = net([mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])], None).asnumpy()
    np.testing.assert_allclose(logits, paddle[f"{prefix}_logit"], rtol=1e-5, atol=1e-5)
