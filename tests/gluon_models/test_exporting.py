"""An exported net computes what the net does, in MXNet and in onnxruntime, whatever the lengths."""

import mxnet as mx
import numpy as np
import pytest

from experiments.inference import engines
from gluon_models import exporting, zoo
from gluon_models.dequantize import Dequantized
from gluon_models.errors import ModelError
from gluon_models.exporting import export

CASES = [
    (name, number) for name in ("attention_cluster", "attention_lstm") for number in range(len(zoo.find(name).examples))
]


def batch(dims, videos, frames, as_bytes):
    """Features and lengths; the first video is whole, others are of any length, 0 included."""
    rng = np.random.default_rng(videos)
    shapes = [(videos, frames + index, width) for index, width in enumerate(dims.values())]
    features = [
        rng.integers(0, 256, shape).astype(np.uint8) if as_bytes else rng.normal(size=shape).astype(np.float32)
        for shape in shapes
    ]
    lengths = np.stack([rng.integers(0, shape[1] + 1, videos) for shape in shapes], axis=1).astype(np.int32)
    lengths[0] = [shape[1] for shape in shapes]
    return features, lengths


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_both_engines_agree_with_the_net(tmp_path, name, number, as_bytes):
    arguments = zoo.find(name).examples[number]
    dims = arguments["feature_dims"]
    model = zoo.create(name, **arguments)
    model.initialize()
    net = Dequantized(model, dict.fromkeys(dims, (-2.0, 2.0))) if as_bytes else model
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; `make setup` brings it")
    export(net, tmp_path)
    inputs = [f"features_{modality}" for modality in dims]
    block = mx.gluon.SymbolBlock.imports(
        str(tmp_path / "net-symbol.json"), [*inputs, "lengths"], str(tmp_path / "net-0000.params")
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    for videos, frames in ((1, 1), (3, 7), (5, 12)):
        features, lengths = batch(dims, videos, frames, as_bytes)
        arrays = [mx.nd.array(own, dtype=own.dtype) for own in features]
        expected = net(arrays, mx.nd.array(lengths, dtype="int32")).asnumpy()
        symbol = block(*arrays, mx.nd.array(lengths, dtype="int32")).asnumpy()
        (onnx,) = session.run(None, {**dict(zip(inputs, features, strict=True)), "lengths": lengths})
        np.testing.assert_allclose(symbol, expected, atol=2e-6)
        np.testing.assert_allclose(onnx, expected, atol=2e-6)


def test_another_model_is_refused_in_one_line(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed; `make setup` brings it")

    class Other(type(zoo.create("attention_cluster", **zoo.find("attention_cluster").examples[0]))):
        """Not one of ours."""

    net = Other(**zoo.find("attention_cluster").examples[0])
    net.initialize()
    with pytest.raises(
        ModelError, match=r"^Other cannot be written as ONNX; attention_cluster and attention_lstm can$"
    ):
        export(net, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_older_nets_onnx_does_not_stay(tmp_path):
    (tmp_path / exporting.ONNX).touch()
    net = zoo.create("attention_cluster", **zoo.find("attention_cluster").examples[0])
    net.initialize()
    exporting.export(net, tmp_path, with_onnx=False)
    assert {path.name for path in tmp_path.iterdir()} == {exporting.SYMBOL, exporting.PARAMETERS}


def test_inference_knows_the_files_by_the_same_names():
    assert (engines.SYMBOL, engines.ONNX) == (exporting.SYMBOL, exporting.ONNX)
