"""What computes: an exported net in MXNet or in onnxruntime, each imported only when it is asked for."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from experiments import threads
from experiments.errors import UserError
from experiments.inference.batches import Batch
from experiments.inference.description import Description

SYMBOL, ONNX = "net-symbol.json", "net.onnx"
Engine = Callable[[Batch], np.ndarray]  # to logits, (videos, classes) float32
NAMES = ("mxnet", "onnxruntime")


def probabilities(logits: np.ndarray, single_label: bool) -> np.ndarray:
    """Softmax over the classes, or each class's sigmoid: (videos, classes) float32."""
    values = np.asarray(logits, np.float64)
    if single_label:
        values = np.exp(values - values.max(axis=1, keepdims=True))  # (B, C)
        return (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    return (0.5 * (1 + np.tanh(0.5 * values))).astype(np.float32)  # which never overflows


def open_engine(name: str, folder: Path, net: Description, provider: str | None = None) -> Engine:
    """The net in ``folder``, ready to compute.

    Args:
        name: one of `NAMES`.
        folder: where it was exported to.
        net: its description.
        provider: of onnxruntime: CPUExecutionProvider, CUDAExecutionProvider, TensorrtExecutionProvider, ...

    Raises:
        UserError: if there is no such engine or provider, or a file is missing.
    """
    if name not in NAMES:
        raise UserError(f"engine={name}: there are {' and '.join(NAMES)}")
    if provider and name != "onnxruntime":
        raise UserError(f"provider={provider} is for engine=onnxruntime alone")
    return _mxnet(folder, net) if name == "mxnet" else _onnxruntime(folder, net, provider or "CPUExecutionProvider")


def _mxnet(folder: Path, net: Description) -> Engine:
    threads.use_all_cores()
    try:
        import mxnet as mx
    except ImportError:
        raise UserError("engine=mxnet: MXNet is not installed here; install it, or take engine=onnxruntime") from None
    parameters = next(iter(sorted(folder.glob("net-*.params"))), folder / "net-0000.params")
    for path in (folder / SYMBOL, parameters):
        if not path.is_file():
            raise UserError(f"{path}: missing; export the net again")
    with warnings.catch_warnings():  # of types that it cannot infer: bytes are cast in the net itself
        warnings.filterwarnings("ignore", "Cannot decide type")
        with _read(folder / SYMBOL):
            mx.sym.load(str(folder / SYMBOL))
        with _read(parameters):
            block = mx.gluon.SymbolBlock.imports(str(folder / SYMBOL), [*_inputs(net), "lengths"], str(parameters))
    block.hybridize(static_alloc=True, static_shape=True)

    def compute(batch: Batch) -> np.ndarray:
        arrays = [mx.nd.array(own, dtype=own.dtype) for own in batch.features]
        return block(*arrays, mx.nd.array(batch.lengths, dtype="int32")).asnumpy()

    return compute


def _onnxruntime(folder: Path, net: Description, provider: str) -> Engine:
    try:
        import onnxruntime
    except ImportError:
        raise UserError("engine=onnxruntime: it is not installed here; pip install onnxruntime") from None
    if provider not in (known := onnxruntime.get_available_providers()):
        raise UserError(f"provider={provider}: this onnxruntime has {', '.join(known)}")
    path = folder / ONNX
    if not path.is_file():
        raise UserError(f"{path}: missing; export the net again where onnx is installed")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads.number()
    with _read(path):
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    if session.get_providers()[0] != provider:  # it takes the CPU without a word
        raise UserError(f"provider={provider}: it cannot be used here; its libraries or its device are missing")

    def compute(batch: Batch) -> np.ndarray:
        arrays = dict(zip(_inputs(net), batch.features, strict=True))
        return session.run(None, {**arrays, "lengths": batch.lengths})[0]

    return compute


@contextmanager
def _read(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each engine has errors of its own for damaged files
        raise UserError(f"{path}: not readable; export the net again") from error


def _inputs(net: Description) -> list[str]:
    return [f"features_{own.name}" for own in net.modalities]
