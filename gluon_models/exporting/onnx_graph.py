"""The models as ONNX graphs, for any number of videos and frames, with lengths.

Written node by node and not by MXNet's exporter, which has no SequenceReverse and gives a video of length 0 weights.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gluon_models.attention import EPSILON, Cluster
from gluon_models.attention_cluster import AttentionCluster
from gluon_models.attention_lstm import AttentionLSTM, Encoder
from gluon_models.dequantize import Dequantized
from gluon_models.errors import ModelError

OPSET, IR_VERSION = 13, 8
MASKED = -1e30  # the score of padding: its exponential is 0


def graph_of(net: Any) -> onnx.ModelProto:
    """``net`` as ONNX: inputs ``features_<modality>`` (B, T, F) and ``lengths`` (B, M) int32, output ``logits``.

    Args:
        net: an AttentionCluster or AttentionLSTM with values, or a Dequantized one, whose inputs are then uint8.

    Raises:
        ModelError: for another model.
    """
    ranges = net.limits if isinstance(net, Dequantized) else [None] * len(net.modalities)
    model = net.net if isinstance(net, Dequantized) else net
    if type(model) not in (AttentionCluster, AttentionLSTM):
        raise ModelError(f"{type(model).__name__} cannot be written as ONNX; attention_cluster and attention_lstm can")
    graph = _Graph()
    inputs, outputs = [], []
    for index, (modality, limits) in enumerate(zip(model.modalities, ranges, strict=True)):
        name, width = f"features_{modality}", model.feature_dims[modality]
        kind = TensorProto.FLOAT if limits is None else TensorProto.UINT8
        inputs.append(helper.make_tensor_value_info(name, kind, ["videos", f"frames_{modality}", width]))
        frames = name if limits is None else _dequantized(graph, name, limits)  # (B, T, F)
        lengths = graph.add("Gather", ["lengths", graph.integer(index)], axis=1)  # (B,)
        if isinstance(model, AttentionCluster):
            outputs.append(_cluster(graph, model.clusters[index], frames, lengths, width))
        else:
            outputs.append(_encoder(graph, model.encoders[index], frames, lengths))
    video = graph.add("Concat", outputs, axis=1)
    if isinstance(model, AttentionCluster) and model.dropout.scale != 1.0:
        video = graph.add("Mul", [video, graph.number(model.dropout.scale)])
    for layer in model.hidden:
        video = _dense(graph, layer, video)
    graph.add("Identity", [_dense(graph, model.classifier, video)], output="logits")
    inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["videos", len(model.modalities)]))
    classes = model.classifier.bias.shape[0]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["videos", classes])
    made = helper.make_graph(graph.nodes, type(model).__name__, inputs, [logits], graph.values)
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(whole)
    return whole


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """A node with one output; its name."""
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def value(self, array: Any) -> str:
        """A constant."""
        name = f"value_{len(self.values)}"
        self.values.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def parameter(self, own: Any) -> str:
        """A Gluon parameter."""
        return self.value(own.data().asnumpy())

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self.value(np.float32(value))

    def integer(self, *values: int) -> str:
        """An int64: a scalar, or of several values a vector."""
        return self.value(np.array(values if len(values) > 1 else values[0], np.int64))


def _dequantized(graph: _Graph, bytes_name: str, limits: tuple[float, float]) -> str:
    minimum, maximum = limits
    floats = graph.add("Cast", [bytes_name], to=TensorProto.FLOAT)
    scaled = graph.add("Mul", [floats, graph.number((maximum - minimum) / 255.0)])
    return graph.add("Add", [scaled, graph.number(minimum)])


def _dense(graph: _Graph, layer: Any, inputs: str) -> str:
    """A layer on (B, F)."""
    names = [inputs, graph.parameter(layer.weight), graph.parameter(layer.bias)]
    return _activated(graph, layer, graph.add("Gemm", names, transB=1))


def _frame_dense(graph: _Graph, layer: Any, frames: str) -> str:
    """A layer on every frame, (B, T, F) -> (B, T, units)."""
    product = graph.add("MatMul", [frames, graph.value(layer.weight.data().asnumpy().T)])
    return _activated(graph, layer, graph.add("Add", [product, graph.parameter(layer.bias)]))


def _activated(graph: _Graph, layer: Any, inputs: str) -> str:
    if layer.act is None:
        return inputs
    return graph.add({"tanh": "Tanh", "relu": "Relu"}[layer.act._act_type], [inputs])


def _real(graph: _Graph, frames: str, lengths: str) -> str:
    """1 at the real frames, 0 at the padding: (B, 1, T) float."""
    count = graph.add("Gather", [graph.add("Shape", [frames]), graph.integer(1)], axis=0)
    places = graph.add("Range", [graph.integer(0), count, graph.integer(1)])  # (T,)
    ends = graph.add(
        "Cast", [graph.add("Unsqueeze", [lengths, graph.value(np.array([1, 2], np.int64))])], to=TensorProto.INT64
    )
    return graph.add("Cast", [graph.add("Less", [places, ends])], to=TensorProto.FLOAT)


def _masked_softmax(graph: _Graph, scores: str, real: str) -> str:
    """Softmax over the real frames; 0 on the padding and everywhere in a video of length 0. (B, N, T)."""
    padding = graph.add("Mul", [graph.add("Sub", [graph.number(1.0), real]), graph.number(MASKED)])  # (B, 1, T)
    weights = graph.add("Softmax", [graph.add("Add", [graph.add("Mul", [scores, real]), padding])], axis=-1)
    return graph.add("Mul", [weights, real])


def _cluster(graph: _Graph, cluster: Cluster, frames: str, lengths: str, width: int) -> str:
    """(B, T, F) -> (B, N * F); see `gluon_models.attention`."""
    attention, units = cluster.attention, cluster._units
    real = _real(graph, frames, lengths)  # (B, 1, T)
    if attention.score is None:
        scores = graph.add("Mul", [real, graph.value(np.zeros((1, units, 1), np.float32))])  # (B, N, T)
    else:
        hidden = frames if attention.hidden is None else _frame_dense(graph, attention.hidden, frames)
        scores = graph.add("Transpose", [_frame_dense(graph, attention.score, hidden)], perm=[0, 2, 1])  # (B, N, T)
    outputs = graph.add("MatMul", [_masked_softmax(graph, scores, real), frames])  # v, (B, N, F)
    if cluster.shifting:
        alpha, beta = (graph.value(own.data().asnumpy().reshape(1, units, 1)) for own in (cluster.alpha, cluster.beta))
        shifted = graph.add("Add", [graph.add("Mul", [outputs, alpha]), beta])  # (B, N, F)
        squares = graph.add("ReduceSum", [graph.add("Mul", [shifted, shifted]), graph.value(np.array([2], np.int64))])
        norm = graph.add("Sqrt", [graph.add("Add", [squares, graph.number(EPSILON)])])  # (B, N, 1)
        outputs = graph.add("Div", [shifted, graph.add("Mul", [norm, graph.number(units**0.5)])])
    return graph.add("Reshape", [outputs, graph.integer(-1, units * width)])


def _encoder(graph: _Graph, encoder: Encoder, frames: str, lengths: str) -> str:
    """(B, T, F) -> (B, 2 H); see `gluon_models.attention_lstm`."""
    embedded = graph.add("Transpose", [_frame_dense(graph, encoder.embedding, frames)], perm=[1, 0, 2])  # (T, B, E)
    forwards, backwards = (_gates(own) for own in (encoder.forwards, encoder.backwards))
    weights = [graph.value(np.stack(pair)) for pair in zip(forwards, backwards, strict=True)]
    size = forwards[1].shape[1]
    outputs = graph.add("LSTM", [embedded, *weights, lengths], hidden_size=size, direction="bidirectional")
    both = graph.add("Transpose", [outputs], perm=[2, 0, 1, 3])  # (T, 2, B, H) -> (B, T, 2, H)
    outputs = graph.add("Reshape", [both, graph.value(np.array([0, 0, 2 * size], np.int64))])  # (B, T, 2 H)
    if encoder.dropout.scale != 1.0:
        outputs = graph.add("Mul", [outputs, graph.number(encoder.dropout.scale)])
    scores = graph.add("Transpose", [_frame_dense(graph, encoder.score, outputs)], perm=[0, 2, 1])  # (B, 1, T)
    attention = _masked_softmax(graph, scores, _real(graph, frames, lengths))
    return graph.add("Reshape", [graph.add("MatMul", [attention, outputs]), graph.integer(-1, 2 * size)])


def _gates(lstm: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights and biases of one direction in ONNX's order of gates, i o f g, from MXNet's, i f g o."""

    def ordered(own: Any) -> np.ndarray:
        i, f, g, o = np.split(own.data().asnumpy(), 4)
        return np.concatenate([i, o, f, g])

    biases = [ordered(lstm.l0_i2h_bias), ordered(lstm.l0_h2h_bias)]
    return ordered(lstm.l0_i2h_weight), ordered(lstm.l0_h2h_weight), np.concatenate(biases)
