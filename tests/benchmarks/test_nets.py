"""The published nets as the benchmarks have them."""

import mxnet as mx
import pytest

from benchmarks import nets, published
from experiments import tasks


@pytest.mark.parametrize("model", published.MODELS)
def test_a_large_net_takes_a_batch_in_pieces_on_a_cpu(model):
    net = nets.inside(nets.create(published.case(model, "train", 128)))
    assert tasks.at_once(net, [mx.cpu()]) == published.AT_ONCE.get(model)
    assert tasks.at_once(net, [mx.gpu()]) is None


def test_a_small_net_does_not(small_case):
    assert tasks.at_once(nets.inside(nets.create(small_case("attention_lstm", "train"))), [mx.cpu()]) is None
