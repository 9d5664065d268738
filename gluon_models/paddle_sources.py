"""Which of Paddle's parameters is which of ours, in which layout and on which scale."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from mxnet.gluon import HybridBlock, Parameter, nn

from gluon_models.attention_cluster import AttentionCluster
from gluon_models.attention_lstm import AttentionLSTM
from gluon_models.dropout import check_rate
from gluon_models.errors import ModelError

PUBLISHED_DROPOUT = 0.5  # of both sources; a file of weights does not say

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Where Paddle keeps the values of one parameter.

    Attributes:
        parameter: Our parameter.
        name: Paddle's name of it.
        to_paddle: Our shape -> Paddle's shape.
        to_ours: Paddle's values -> our values.
    """

    parameter: Parameter
    name: str
    to_paddle: Callable[[Shape], Shape] = lambda shape: shape
    to_ours: Callable[[np.ndarray], np.ndarray] = lambda values: values


def sources(net: HybridBlock, source_dropout: float | None = None) -> list[Source]:
    """Returns where Paddle keeps the values of each parameter of a net.

    The layers after the dropout are rescaled so that in evaluation they see what they were trained to see: what
    the source multiplies its dropout's output by in evaluation, divided by what the net does. Nothing is
    rescaled where both have the same convention and the same rate.

    Args:
        net: An `attention_cluster` with attention "fc1" and shifting, or an `attention_lstm`.
        source_dropout: Dropout that the weights were trained with; None takes the net's own. Attention
            Cluster's source has Fluid's "downgrade_in_infer", AttentionLSTM's (PaddleVideo) "upscale_in_train".

    Raises:
        ModelError: Paddle has no such model, or `source_dropout` is no share below 1.
    """
    if source_dropout is not None:
        check_rate("source_dropout", source_dropout)
    if isinstance(net, AttentionCluster):
        rate = net.dropout.rate if source_dropout is None else source_dropout
        return list(_attention_cluster(net, (1.0 - rate) / net.dropout.scale))
    if isinstance(net, AttentionLSTM):
        return list(_attention_lstm(net))
    raise ModelError(f"Paddle has no weights for a {type(net).__name__}")


def _attention_cluster(net: AttentionCluster, scale: float) -> Iterator[Source]:
    for index, cluster in enumerate(net.clusters):
        score = cluster.attention.score
        if score is None or cluster.attention.hidden is not None or not cluster.shifting:
            raise ModelError("Paddle's Attention Cluster has attention 'fc1' and shifting; this net has not")
        yield Source(
            score.weight,
            f"satt{index}.conv.weight",
            to_paddle=lambda shape: (*shape, 1, 1),
            to_ours=lambda values: values[:, :, 0, 0],
        )
        yield Source(score.bias, f"satt{index}.conv.bias")
        yield Source(cluster.alpha, f"satt{index}.shift_w")
        yield Source(cluster.beta, f"satt{index}.shift_b")
    layers = [*net.hidden, net.classifier]
    names = [*(f"fc{index + 1}" for index in range(len(net.hidden))), "logistic"]
    scales = [scale] + [1.0] * len(net.hidden)
    for layer, name, own_scale in zip(layers, names, scales, strict=True):
        yield from _dense(layer, f"{name}.weights", f"{name}.bias", own_scale)


def _attention_lstm(net: AttentionLSTM) -> Iterator[Source]:
    scale = 1.0 / net.encoders[0].dropout.scale
    for index, encoder in enumerate(net.encoders):
        yield from _dense(encoder.embedding, f"fc_feature{index}.weight", f"fc_feature{index}.bias")
        for direction, suffix in ((encoder.forwards, ""), (encoder.backwards, "_reverse")):
            yield Source(direction.l0_i2h_weight, f"bi_lstm{index}.weight_ih_l0{suffix}")
            yield Source(direction.l0_h2h_weight, f"bi_lstm{index}.weight_hh_l0{suffix}")
            yield Source(direction.l0_i2h_bias, f"bi_lstm{index}.bias_ih_l0{suffix}")
            yield Source(direction.l0_h2h_bias, f"bi_lstm{index}.bias_hh_l0{suffix}")
        yield from _dense(encoder.score, f"att_fc{index}.weight", f"att_fc{index}.bias", scale)
    layers = [*net.hidden, net.classifier]
    names = [*(f"fc_out{index + 1}" for index in range(len(net.hidden))), "fc_logit"]
    scales = [scale] + [1.0] * len(net.hidden)
    for layer, name, own_scale in zip(layers, names, scales, strict=True):
        yield from _dense(layer, f"{name}.weight", f"{name}.bias", own_scale)


def _dense(layer: nn.Dense, weight: str, bias: str, scale: float = 1.0) -> Iterator[Source]:
    """Paddle keeps the weights of a fully connected layer as (in, out), Gluon as (out, in)."""
    yield Source(layer.weight, weight, to_paddle=lambda shape: shape[::-1], to_ours=lambda values: values.T * scale)
    yield Source(layer.bias, bias)
