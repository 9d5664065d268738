import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models.attention import AttentionUnits, Cluster, masked_softmax
from gluon_models.errors import ModelError

KINDS = ["average", "fc1", "fc2"]


def initialised(block, dtype="float32"):
    mx.random.seed(3)
    block.initialize()
    block.cast(dtype)
    return block


def random_frames(batch, frames, dim, dtype="float32", seed=0):
    return mx.nd.array(np.random.default_rng(seed).normal(size=(batch, frames, dim)), dtype=dtype)


def plain_cluster(cluster, frames, lengths):
    """The equations of the paper, one unit after the other, in float64 NumPy."""
    frames, units = frames.asnumpy().astype(np.float64), cluster.alpha.shape[0]
    score = cluster.attention.score
    weight, bias = score.weight.data().asnumpy(), score.bias.data().asnumpy()
    alpha, beta = cluster.alpha.data().asnumpy(), cluster.beta.data().asnumpy()
    rows = []
    for x, length in zip(frames, lengths, strict=True):
        outputs = []
        for k in range(units):
            scores = x[:length] @ weight[k] + bias[k]
            a = np.exp(scores - scores.max())
            v = (a / a.sum()) @ x[:length]
            shifted = alpha[k] * v + beta[k]
            outputs.append(shifted / (np.sqrt(units) * np.linalg.norm(shifted)))
        rows.append(np.concatenate(outputs))
    return np.stack(rows)


def plain_cluster_nd(cluster, frames):
    """The same without any folding in mx.nd, for gradients."""
    units, score = cluster.alpha.shape[0], cluster.attention.score
    scores = mx.nd.dot(frames, score.weight.data().T) + score.bias.data().reshape((1, 1, -1))
    v = mx.nd.batch_dot(mx.nd.softmax(scores, axis=1), frames, transpose_a=True)
    alpha, beta = cluster.alpha.data().reshape((1, -1, 1)), cluster.beta.data().reshape((1, -1, 1))
    shifted = alpha * v + beta
    norm = (shifted**2).sum(axis=2, keepdims=True).sqrt()
    return (shifted / norm / np.sqrt(units)).reshape((frames.shape[0], -1))


@pytest.mark.parametrize(("dim", "units"), [(5, 1), (50, 32), (8, 128)])
def test_folded_form_is_the_papers_equations(dim, units):
    cluster, lengths = initialised(Cluster("fc1", dim, units, shifting=True)), [7, 3, 1]
    frames = random_frames(3, 7, dim)
    actual = cluster(frames, mx.nd.array(lengths, dtype="int32")).asnumpy()
    np.testing.assert_allclose(actual, plain_cluster(cluster, frames, lengths), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dim", "units"), [(5, 1), (50, 32), (8, 128)])
@pytest.mark.parametrize("hybridize", [True, False])
def test_folded_form_has_the_plain_forms_gradients(dim, units, hybridize):
    cluster = initialised(Cluster("fc1", dim, units, shifting=True))
    cluster.hybridize(hybridize)
    frames = random_frames(4, 7, dim)
    frames.attach_grad()
    direction = mx.nd.array(np.random.default_rng(9).normal(size=(4, units * dim)))

    parameters = [
        cluster.attention.score.weight,
        cluster.alpha,
        cluster.beta,
    ]  # the score's bias has gradient 0

    def value_and_gradients(run):
        with autograd.record():
            output = run()
        output.backward(direction)
        return [array.asnumpy() for array in (output, frames.grad, *(p.grad() for p in parameters))]

    folded = value_and_gradients(lambda: cluster(frames, None))
    plain = value_and_gradients(lambda: plain_cluster_nd(cluster, frames))
    for one, other in zip(folded, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("kind", KINDS)
def test_attention_sums_to_1_over_the_real_frames(kind):
    attention = initialised(AttentionUnits(kind, 6, 4))
    weights = attention(random_frames(3, 5, 6), mx.nd.array([5, 2, 0], dtype="int32")).asnumpy()
    assert weights.shape == (3, 4, 5)
    np.testing.assert_allclose(weights.sum(axis=2), np.array([[1.0], [1.0], [0.0]]).repeat(4, axis=1), rtol=1e-6)
    assert not weights[1, :, 2:].any()


def test_average_is_the_mean_of_the_real_frames():
    frames = random_frames(2, 4, 3)
    output = initialised(Cluster("average", 3, 2, shifting=False))(frames, mx.nd.array([4, 3], dtype="int32"))
    means = np.stack([frames[0].asnumpy().mean(axis=0), frames[1, :3].asnumpy().mean(axis=0)])
    np.testing.assert_allclose(output.asnumpy(), np.tile(means, 2), rtol=1e-5)


@pytest.mark.parametrize("units", [1, 4, 32])
def test_shifted_units_have_norm_1_by_root_n(units):
    cluster = initialised(Cluster("fc1", 6, units, shifting=True))
    outputs = cluster(random_frames(3, 5, 6), None).asnumpy().reshape(3, units, 6)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=2), 1 / np.sqrt(units), rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, [4, 2, 0]])
def test_softmax_is_stable_and_its_gradient_finite(lengths):
    scores = mx.nd.array([[[1000, -1000, 0, 1000]], [[-1000, -1000, 1000, 0]], [[1000, 1000, 1000, -1000]]])
    scores.attach_grad()
    with autograd.record():
        weights = masked_softmax(
            mx.nd, scores, None if lengths is None else mx.nd.array(lengths, dtype="int32"), rows=1
        )
    weights.backward(mx.nd.array([[[1, 2, 3, 4]]] * 3))
    expected = [[0.5, 0, 0, 0.5], [0, 0, 1, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    if lengths is not None:
        expected = [[0.5, 0, 0, 0.5], [0.5, 0.5, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(weights.asnumpy()[:, 0], expected, rtol=1e-6)
    assert np.isfinite(scores.grad.asnumpy()).all()


def test_unknown_attention_is_refused():
    with pytest.raises(ModelError, match=r"'fc3'.*'average', 'fc1' or 'fc2'"):
        AttentionUnits("fc3", 4, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shifting", [True, False])
@pytest.mark.parametrize("lengths", [None, [4, 2, 1]])
def test_gradients_by_central_differences(kind, shifting, lengths, assert_gradients):
    cluster = initialised(Cluster(kind, 3, 2, shifting), dtype="float64")
    frames = random_frames(3, 4, 3, dtype="float64")
    lengths = None if lengths is None else mx.nd.array(lengths, dtype="int32")
    parameters = [parameter.data() for parameter in cluster.collect_params().values()]
    assert_gradients(lambda: cluster(frames, lengths), [frames, *parameters])
