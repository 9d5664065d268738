"""What a net was compiled to is kept while work of it may be pending, and then let go of."""

import mxnet as mx
import pytest
from mxnet import autograd

from gluon_models import graphs, video_model, zoo

DIMS = {"rgb": 6, "audio": 4}
SIZES = {"embedding_size": 8, "lstm_size": 64, "hidden_units": [2048, 4], "dropout": 0.0}


@pytest.fixture
def net():
    """Large enough that it is compiled for a number of videos."""
    net = zoo.create("attention_lstm", feature_dims=DIMS, num_classes=3, **SIZES)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    yield net
    graphs.release(net)


def logits(net, videos, lengths=True):
    features = [mx.nd.ones((videos, 2, dim)) for dim in DIMS.values()]  # (videos, 2, dim) each
    return net(features, mx.nd.ones(videos) if lengths else None)


def test_a_graph_is_compiled_once(net):
    """One that is dropped for another is freed by the engine's threads, while this one pushes work: a deadlock."""
    compiled = {}
    for _ in range(3):
        for given in ((4, True), (3, True), (4, False)):
            with autograd.record():
                total = logits(net, *given).sum()
            total.backward()
            assert compiled.setdefault(given, net._cached_op) is net._cached_op
    assert len(set(map(id, compiled.values()))) == 3


def test_each_graph_gives_its_own(net):
    before = [logits(net, *given).asnumpy() for given in ((4, True), (3, False), (4, False))]
    again = [logits(net, *given).asnumpy() for given in ((4, True), (3, False), (4, False))]
    assert all((one == other).all() for one, other in zip(before, again, strict=True))
    assert [len(own) for own in again] == [4, 3, 4]


def test_released(net):
    before = logits(net, 4).asnumpy()
    logits(net, 3)
    graphs.release(net)
    assert net._cached_op is None
    assert not net._graphs
    assert (logits(net, 4).asnumpy() == before).all()


def test_no_more_are_kept_than_so_many(net, monkeypatch):
    monkeypatch.setattr(video_model, "KEPT_GRAPHS", 2)
    for videos in (1, 2, 3, 4, 3, 1):
        assert logits(net, videos).shape == (videos, 3)
        assert len(net._graphs) <= 2


def test_what_holds_no_longer_is_compiled_anew(net):
    logits(net, 4)
    logits(net, 3)
    net.hybridize(False)
    assert not net._graphs
    assert logits(net, 3).shape == (3, 3)
    assert net._cached_op is None
