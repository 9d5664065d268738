"""A trained net as files that other programs compute with: MXNet's symbol and parameters, and ONNX."""

from pathlib import Path
from typing import Any

import mxnet as mx

SYMBOL, PARAMETERS, ONNX = "net-symbol.json", "net-0000.params", "net.onnx"


def export(net: Any, folder: Path, with_onnx: bool = True) -> list[Path]:
    """Write ``net`` to ``folder``, each file aside first and then renamed; an older net's ONNX does not stay there.

    The inputs are ``features_<modality>`` (B, T, F), uint8 where ``net`` is a `Dequantized`, and ``lengths`` (B, M)
    int32; the output is the logits. Any number of videos B and of frames T will do, T of each modality its own.

    Args:
        net: a model with values.
        folder: must be there.
        with_onnx: ONNX too; the package onnx must be installed.

    Raises:
        ModelError: if there is no way to write the model as ONNX.
    """
    inputs = [mx.sym.var(f"features_{modality}") for modality in net.modalities]
    output = net(inputs, mx.sym.var("lengths"))
    own = {parameter.name: parameter for parameter in net.collect_params().values()}
    used = set(output.list_arguments()) | set(output.list_auxiliary_states())
    values = {f"arg:{name}": own[name].data().as_in_context(mx.cpu()) for name in sorted(used & set(own))}
    written = [folder / name for name in (SYMBOL, PARAMETERS, *([ONNX] if with_onnx else []))]
    aside = [path.with_name(f".{path.name}.tmp") for path in written]
    try:
        if with_onnx:
            from gluon_models.exporting.onnx_graph import graph_of

            aside[2].write_bytes(graph_of(net).SerializeToString())
        output.save(str(aside[0]))
        mx.nd.save(str(aside[1]), values)
        for path, target in zip(aside, written, strict=True):
            path.replace(target)
    finally:
        for path in aside:
            path.unlink(missing_ok=True)
    if not with_onnx:
        (folder / ONNX).unlink(missing_ok=True)
    return written
