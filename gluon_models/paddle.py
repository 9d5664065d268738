"""Published Paddle weights in our models.

- Attention Cluster: PaddlePaddle/models release/1.8, PaddleCV/video/models/attention_cluster (static graph).
- AttentionLSTM: PaddlePaddle/PaddleVideo, AttentionLstmHead (dygraph), whose gates i, f, g, o are in MXNet's
  order. The older static AttentionLSTM has peepholes, which ours has not, and cannot be loaded.

`python -m gluon_models.paddle FILE OUT` writes a file for `net.load_parameters`.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, Parameter

from gluon_models import zoo
from gluon_models.dropout import DropoutMode
from gluon_models.errors import ModelError
from gluon_models.paddle_pickle import read_pdparams
from gluon_models.paddle_sources import PUBLISHED_DROPOUT, Source, sources


def load_into(
    net: HybridBlock, weights: Mapping[str, np.ndarray] | str | Path, source_dropout: float | None = None
) -> None:
    """Gives a net the weights of a Paddle model; the net may be initialised or not.

    Paddle numbers the modalities; its number i is the i-th of `net.feature_dims`. Whatever dropout the net has,
    in evaluation it computes what the source does; see `paddle_sources.sources`.

    Args:
        net: An `attention_cluster` with attention "fc1" and shifting, or an `attention_lstm`.
        weights: {Paddle's name: array of floats}, or the path of a `.pdparams` file.
        source_dropout: Dropout that the weights were trained with; None takes the net's own.

    Raises:
        ModelError: the file cannot be read, a name is missing or surplus, a shape is wrong, or values are not
            finite floats.
    """
    found = list(_found(net, weights, source_dropout))
    for source, values in found:
        expected = source.to_paddle(source.parameter.shape)
        if values.shape != expected:
            raise ModelError(f"{source.name} has shape {values.shape}, but this net needs {expected}")
    for source, values in found:
        if not _is_initialised(source.parameter):
            source.parameter.initialize()
        source.parameter.set_data(mx.nd.array(source.to_ours(values)))


def values_for(net: HybridBlock, weights: Mapping[str, np.ndarray] | str | Path) -> dict[str, np.ndarray]:
    """Returns {our name: values} as `load_into` would give them to `net`, whose sizes may differ from theirs.

    Raises:
        ModelError: as in `load_into`, but for sizes.
    """
    names = {id(parameter): name for name, parameter in net._collect_params_with_prefix().items()}
    found = _found(net, weights, PUBLISHED_DROPOUT)
    return {names[id(source.parameter)]: source.to_ours(values) for source, values in found}


def net_of(
    weights: Mapping[str, np.ndarray],
    modalities: Sequence[str],
    source_dropout: float = PUBLISHED_DROPOUT,
    dropout_mode: DropoutMode = "upscale_in_train",
) -> HybridBlock:
    """Makes the net that the names and shapes of Paddle's weights describe, and loads them into it.

    Args:
        weights: {Paddle's name: array of floats}.
        modalities: Names of the modalities, in Paddle's order.
        source_dropout: Dropout that the weights were trained with; the net has it too.
        dropout_mode: The net's.

    Raises:
        ModelError: these are not the weights of a model that we know, or the modalities do not fit them.
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
    if "" in modalities or len(set(modalities)) != len(modalities):
        raise ModelError(f"the modalities are named {','.join(modalities)!r}; each needs a name of its own")
    if len(widths) != len(modalities):
        raise ModelError(f"the weights have {len(widths)} modalities, but {len(modalities)} are named")
    net = zoo.create(
        name,
        feature_dims=dict(zip(modalities, widths, strict=True)),
        dropout=source_dropout,
        dropout_mode=dropout_mode,
        **arguments,
    )
    load_into(net, weights, source_dropout)
    return net


def _found(
    net: HybridBlock, weights: Mapping[str, np.ndarray] | str | Path, source_dropout: float | None
) -> Iterator[tuple[Source, np.ndarray]]:
    """Every parameter's source and Paddle's values, whose sizes are not checked, but for the axes of length 1."""
    table = sources(net, source_dropout)
    plain = _plain_names(weights if isinstance(weights, Mapping) else read_pdparams(weights))
    problems = [
        f"{what}: {', '.join(sorted(names))}"
        for what, names in (
            ("missing", {source.name for source in table} - set(plain)),
            ("surplus", set(plain) - {source.name for source in table}),
        )
        if names
    ]
    if problems:
        raise ModelError(f"these are not the weights of this net; {'; '.join(problems)}")
    for source in table:
        values, expected = plain[source.name], source.to_paddle(source.parameter.shape)
        if values.ndim != len(expected) or values.shape[2:] != expected[2:]:
            raise ModelError(f"{source.name} has shape {values.shape}, but this net needs {expected}")
        yield source, values


def _plain_names(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drops PaddleVideo's prefix "head." and the second names that a state_dict has for an LSTM's weights."""
    plain: dict[str, np.ndarray] = {}
    for full_name, values in weights.items():
        if not isinstance(full_name, str):
            raise ModelError(f"the weights have the key {full_name!r}; Paddle's names are text")
        if not (isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.size):
            raise ModelError(f"{full_name} is no NumPy array of floats, or an empty one")
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            values = values.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise ModelError(f"{full_name} has values that are no finite float32; the weights are damaged")
        name = full_name.removeprefix("head.")
        if cell := re.fullmatch(r"(bi_lstm\d+)\.0\.cell_(fw|bw)\.(\w+)", name):
            name = f"{cell[1]}.{cell[3]}_l0" + ("_reverse" if cell[2] == "bw" else "")
        if name in plain and not np.array_equal(plain[name], values):
            raise ModelError(f"{full_name} and {name} are one parameter, but their values differ")
        plain[name] = values
    return plain


def _size(weights: Mapping[str, np.ndarray], name: str, axis: int) -> int:
    if name not in weights:
        raise ModelError(f"these are not the weights of a whole net; missing: {name}")
    shape = weights[name].shape
    if axis >= len(shape):
        raise ModelError(f"{name} has shape {shape}, which has no axis {axis}")
    return shape[axis]


def _sizes(weights: Mapping[str, np.ndarray], pattern: str, axis: int, start: int) -> list[int]:
    """Sizes along one axis of the arrays called `pattern` with start, start + 1 and so on.

    The layer of the highest number counts, whichever of its arrays is there, so that a missing one is named.
    """
    layer = pattern.partition("{}")[0] + r"(\d{1,3})\."
    numbers = [int(match[1]) for name in weights if (match := re.match(layer, name))]
    return [_size(weights, pattern.format(number), axis) for number in range(start, max(numbers, default=-1) + 1)]


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
    parser.add_argument("out", metavar="OUT", help="file to write, .params")
    parser.add_argument(
        "--modalities", default="rgb,audio", help="names of the modalities, in Paddle's order (%(default)s)"
    )
    parser.add_argument(
        "--dropout",
        type=float,
        default=PUBLISHED_DROPOUT,
        help="dropout the weights were trained with (%(default)s)",
    )
    parser.add_argument(
        "--dropout-mode",
        choices=get_args(DropoutMode),
        default="upscale_in_train",
        help="dropout_mode of the net that OUT is for (%(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        out = _checked_out(options.file, options.out)
        net = net_of(read_pdparams(options.file), options.modalities.split(","), options.dropout, options.dropout_mode)
        _save(net, out)
    except (ValueError, OSError) as error:
        print((str(error) or type(error).__name__).splitlines()[-1], file=sys.stderr)
        return 1
    count = sum(int(np.prod(parameter.shape)) for parameter in net.collect_params().values())
    print(
        f"{out}: {type(net).__name__} of {count:,} parameters, feature_dims {net.feature_dims}, "
        f"for dropout {options.dropout}, dropout_mode {options.dropout_mode}"
    )
    return 0


def _checked_out(file: str, out: str) -> Path:
    path = Path(out)
    if not out:
        raise ModelError("OUT is empty; name the file to write")
    if not path.parent.is_dir():
        raise ModelError(f"{out}: there is no folder {path.parent}; make it, or name another file")
    if path.exists() and not path.is_file():
        raise ModelError(f"{out} is there and is no ordinary file; name another")
    if path.exists() and Path(file).exists() and path.samefile(file):
        raise ModelError(f"{out} is FILE itself; name another file to write")
    return path


def _save(net: HybridBlock, out: Path) -> None:
    """Writes the parameters to `out`, whole or not at all."""
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
            partial = Path(folder) / "net.params"
            net.save_parameters(str(partial))
            mx.nd.load(str(partial))  # a full disk may cut off the last bytes, and MXNet notices only here
            partial.replace(out)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror}") from error
    except mx.MXNetError as error:
        raise ModelError(f"{out} cannot be written as a whole; is the disk full?") from error


if __name__ == "__main__":
    sys.exit(main())
