"""Published Paddle weights in our models.

- Attention Cluster: PaddlePaddle/models release/1.8, PaddleCV/video/models/attention_cluster (static graph).
- AttentionLSTM: PaddlePaddle/PaddleVideo, AttentionLstmHead (dygraph), whose gates i, f, g, o are in MXNet's
  order. The older static AttentionLSTM has peepholes, which ours has not, and cannot be loaded.

`python -m gluon_models.paddle FILE OUT` writes a file for `net.load_parameters`.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, Parameter, nn

from gluon_models import zoo
from gluon_models.attention_cluster import AttentionCluster
from gluon_models.attention_lstm import AttentionLSTM
from gluon_models.errors import ModelError
from gluon_models.paddle_pickle import read_pdparams

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


def load_into(net: HybridBlock, weights: Mapping[str, np.ndarray] | str | Path) -> None:
    """Gives a net the weights of a Paddle model; the net may be initialised or not.

    Paddle numbers the modalities; its number i is the i-th of `net.feature_dims`.

    Fluid's dropout ("downgrade_in_infer") leaves what it keeps as it is in training and multiplies everything
    by 1 - p in evaluation; Gluon's divides what it keeps by 1 - p in training. The weights of the layer after
    Attention Cluster's dropout are multiplied by 1 - p here, which makes both alike in both modes.
    PaddleVideo's dropout is as Gluon's.

    Args:
        net: An `attention_cluster` with attention "fc1" and shifting, or an `attention_lstm`.
        weights: {Paddle's name: array}, or the path of a `.pdparams` file.

    Raises:
        ModelError: the file cannot be read, a name is missing or surplus, or a shape is wrong.
    """
    weights = _plain_names(weights if isinstance(weights, Mapping) else read_pdparams(weights))
    table = sources(net)
    _check_names({source.name for source in table}, set(weights))
    for source in table:
        shape, expected = np.shape(weights[source.name]), source.to_paddle(source.parameter.shape)
        if shape != expected:
            raise ModelError(f"{source.name} has shape {shape}, but this net needs {expected}")
    for source in table:
        if not _is_initialised(source.parameter):
            source.parameter.initialize()
        source.parameter.set_data(mx.nd.array(source.to_ours(weights[source.name])))


def net_of(weights: Mapping[str, np.ndarray], modalities: Sequence[str], dropout: float) -> HybridBlock:
    """Makes the net that the names and shapes of Paddle's weights describe, and loads them into it.

    Args:
        weights: {Paddle's name: array}.
        modalities: Names of the modalities, in Paddle's order.
        dropout: Dropout that the weights were trained with.

    Raises:
        ModelError: these are not the weights of a model that we know.
    """
    weights = _plain_names(weights)
    if "logistic.weights" in weights:
        name, widths = "attention_cluster", _sizes(weights, "satt{}.conv.weight", axis=1, start=0)
        arguments = {
            "cluster_nums": _sizes(weights, "satt{}.conv.weight", axis=0, start=0),
            "attention": "fc1",
            "shifting": True,
            "hidden_units": _sizes(weights, "fc{}.weights", axis=1, start=1),
            "num_classes": _size(weights, "logistic.weights", axis=1),
        }
    elif "fc_logit.weight" in weights:
        name, widths = "attention_lstm", _sizes(weights, "fc_feature{}.weight", axis=0, start=0)
        arguments = {
            "embedding_size": _size(weights, "fc_feature0.weight", axis=1),
            "lstm_size": _size(weights, "bi_lstm0.weight_hh_l0", axis=1),
            "hidden_units": _sizes(weights, "fc_out{}.weight", axis=1, start=1),
            "num_classes": _size(weights, "fc_logit.weight", axis=1),
        }
    else:
        raise ModelError(
            "unknown weights: Attention Cluster has a logistic.weights and PaddleVideo's AttentionLSTM a "
            f"fc_logit.weight, these have {', '.join(sorted(weights)[:4]) or 'nothing'} ..."
        )
    if len(widths) != len(modalities):
        raise ModelError(f"the weights have {len(widths)} modalities, but {len(modalities)} are named")
    feature_dims = dict(zip(modalities, widths, strict=True))
    net = zoo.create(name, feature_dims=feature_dims, dropout=dropout, **arguments)
    load_into(net, weights)
    return net


def sources(net: HybridBlock) -> list[Source]:
    """Returns where Paddle keeps the values of each parameter of a net.

    Raises:
        ModelError: Paddle has no such model.
    """
    if isinstance(net, AttentionCluster):
        return list(_attention_cluster_sources(net))
    if isinstance(net, AttentionLSTM):
        return list(_attention_lstm_sources(net))
    raise ModelError(f"Paddle has no weights for a {type(net).__name__}")


def _attention_cluster_sources(net: AttentionCluster) -> Iterator[Source]:
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
    scales = [1.0 - net.dropout_rate] + [1.0] * len(net.hidden)
    for layer, name, scale in zip(layers, names, scales, strict=True):
        yield from _dense(layer, f"{name}.weights", f"{name}.bias", scale)


def _attention_lstm_sources(net: AttentionLSTM) -> Iterator[Source]:
    for index, encoder in enumerate(net.encoders):
        yield from _dense(encoder.embedding, f"fc_feature{index}.weight", f"fc_feature{index}.bias")
        for direction, suffix in ((encoder.forwards, ""), (encoder.backwards, "_reverse")):
            yield Source(direction.l0_i2h_weight, f"bi_lstm{index}.weight_ih_l0{suffix}")
            yield Source(direction.l0_h2h_weight, f"bi_lstm{index}.weight_hh_l0{suffix}")
            yield Source(direction.l0_i2h_bias, f"bi_lstm{index}.bias_ih_l0{suffix}")
            yield Source(direction.l0_h2h_bias, f"bi_lstm{index}.bias_hh_l0{suffix}")
        yield from _dense(encoder.score, f"att_fc{index}.weight", f"att_fc{index}.bias")
    for index, layer in enumerate(net.hidden):
        yield from _dense(layer, f"fc_out{index + 1}.weight", f"fc_out{index + 1}.bias")
    yield from _dense(net.classifier, "fc_logit.weight", "fc_logit.bias")


def _dense(layer: nn.Dense, weight: str, bias: str, scale: float = 1.0) -> Iterator[Source]:
    """Paddle keeps the weights of a fully connected layer as (in, out), Gluon as (out, in)."""
    yield Source(layer.weight, weight, to_paddle=lambda shape: shape[::-1], to_ours=lambda values: values.T * scale)
    yield Source(layer.bias, bias)


def _plain_names(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drops PaddleVideo's prefix "head." and the second names that a state_dict has for an LSTM's weights."""
    plain: dict[str, np.ndarray] = {}
    for full_name, values in weights.items():
        name = full_name.removeprefix("head.")
        if cell := re.fullmatch(r"(bi_lstm\d+)\.0\.cell_(fw|bw)\.(\w+)", name):
            name = f"{cell[1]}.{cell[3]}_l0" + ("_reverse" if cell[2] == "bw" else "")
        if name in plain and not np.array_equal(plain[name], values):
            raise ModelError(f"{full_name} and {name} are one parameter, but their values differ")
        plain[name] = values
    return plain


def _check_names(expected: set[str], actual: set[str]) -> None:
    problems = [
        f"{what}: {', '.join(sorted(names))}"
        for what, names in (("missing", expected - actual), ("surplus", actual - expected))
        if names
    ]
    if problems:
        raise ModelError(f"these are not the weights of this net; {'; '.join(problems)}")


def _size(weights: Mapping[str, np.ndarray], name: str, axis: int) -> int:
    if name not in weights:
        raise ModelError(f"these are not the weights of a whole net; missing: {name}")
    shape = np.shape(weights[name])
    if axis >= len(shape):
        raise ModelError(f"{name} has shape {shape}, which has no axis {axis}")
    return shape[axis]


def _sizes(weights: Mapping[str, np.ndarray], pattern: str, axis: int, start: int) -> list[int]:
    """Sizes along one axis of the arrays called `pattern` with start, start + 1 and so on."""
    sizes: list[int] = []
    while (name := pattern.format(start + len(sizes))) in weights:
        sizes.append(_size(weights, name, axis))
    return sizes


def _is_initialised(parameter: Parameter) -> bool:
    try:
        parameter.list_ctx()
    except RuntimeError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Converts a file; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gluon_models.paddle", description="Convert Paddle's weights to Gluon parameters."
    )
    parser.add_argument("file", metavar="FILE", help="weights as Paddle pickles them, .pdparams")
    parser.add_argument("out", metavar="OUT", type=Path, help="file to write, .params")
    parser.add_argument(
        "--modalities", default="rgb,audio", help="names of the modalities, in Paddle's order (%(default)s)"
    )
    parser.add_argument(
        "--dropout", type=float, default=0.5, help="dropout the weights were trained with (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        net = net_of(read_pdparams(options.file), options.modalities.split(","), options.dropout)
        if not options.out.parent.is_dir():
            raise ModelError(f"there is no folder {options.out.parent}")
        partial = options.out.with_name(f"{options.out.name}.partial")
        net.save_parameters(str(partial))
        partial.replace(options.out)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    count = sum(int(np.prod(parameter.shape)) for parameter in net.collect_params().values())
    print(f"{options.out}: {type(net).__name__} of {count:,} parameters, feature_dims {net.feature_dims}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
