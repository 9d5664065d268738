"""Paddle's side, as one would write it there for speed; parameters have the names of PyTorch's."""

import importlib
import tempfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import inference, nn
from paddle.nn import functional

from benchmarks.peers import measuring
from benchmarks.peers.measuring import Case, Videos, Way


class Net(nn.Layer):
    """A model on features as they are stored.

    Args:
        case: what is computed.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.model = importlib.import_module(f"benchmarks.peers.{case.numbers['model']}_paddle").make(case)
        self.rules = [measuring.to_floats(limits) for limits in case.ranges.values()]

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Features, each (B, T, F_m), -> logits (B, C)."""
        if self.rules:
            features = [
                paddle.scale(frames.astype("float32"), factor, least)  # (B, T, F_m)
                for frames, (factor, least) in zip(features, self.rules)  # noqa: B905  Paddle's compiler knows no strict
            ]
        return self.model(features)


def make(case: Case, folder: Path, names: list[str], batches: list[Videos]) -> dict[str, Way]:
    """The ways to train or to predict."""
    return {name: (_training if case.mode == "train" else _prediction)(case, folder, name, batches) for name in names}


def gemm(matrix: np.ndarray) -> Callable[[], None]:
    """Through the function of fully connected layers."""
    own = paddle.to_tensor(matrix)

    def multiply() -> None:
        functional.linear(own, own)

    return multiply


def _training(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    """Ways: "eager", "static" (a graph)."""
    net = _loaded(case, folder)
    given = [([*map(paddle.to_tensor, own.features)], paddle.to_tensor(own.labels)) for own in batches]
    with paddle.no_grad():
        net.eval()
        checked = net([own[: measuring.CHECKED_VIDEOS] for own in given[0][0]]).numpy()  # (8, C)
    net.train()
    optimizer = _optimizer(net, case.numbers)
    forward = paddle.jit.to_static(net, full_graph=True) if name == "static" else net

    def step(number: int) -> None:
        features, labels = given[number % len(given)]
        logits = forward(features)  # (B, C)
        if case.single_label:
            loss = functional.cross_entropy(logits, labels)
        else:
            loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / case.batch_size
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()

    return Way(step, lambda: None, checked)


def _prediction(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    """Ways: "eager", "predictor" (Paddle's engine for deployment)."""
    net = _loaded(case, folder)
    net.eval()
    predict = _predictor(net, case) if name == "predictor" else _eager(net)

    def step(number: int) -> None:
        predict(batches[number % len(batches)].features)

    return Way(step, lambda: None, predict(batches[0].features))


def _eager(net: Net) -> Callable[[list[np.ndarray]], np.ndarray]:
    def predict(features: list[np.ndarray]) -> np.ndarray:
        with paddle.no_grad():
            return net([*map(paddle.to_tensor, features)]).numpy()  # (B, C)

    return predict


def _predictor(net: Net, case: Case) -> Callable[[list[np.ndarray]], np.ndarray]:
    with tempfile.TemporaryDirectory() as place:
        kind = "uint8" if case.ranges else "float32"
        shapes = [paddle.static.InputSpec([None, case.frames, own], kind) for own in case.feature_dims.values()]
        paddle.jit.save(net, f"{place}/net", input_spec=[shapes])
        config = inference.Config(f"{place}/net.json", f"{place}/net.pdiparams")
        config.disable_gpu()
        config.enable_mkldnn()
        config.set_cpu_math_library_num_threads(measuring.threads())
        config.enable_new_executor()
        config.enable_new_ir(True)
        predictor = inference.create_predictor(config)
    inputs = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    output = predictor.get_output_handle(predictor.get_output_names()[0])

    def predict(features: list[np.ndarray]) -> np.ndarray:
        for place, own in zip(inputs, features, strict=True):
            place.copy_from_cpu(own)
        predictor.run()
        return output.copy_to_cpu()  # (B, C)

    return predict


def _loaded(case: Case, folder: Path) -> Net:
    net, values = Net(case), measuring.saved(folder)
    linear = {f"{name}.weight" for name, layer in net.model.named_sublayers() if isinstance(layer, nn.Linear)}
    for name, parameter in net.model.named_parameters():
        parameter.set_value(values[name].T if name in linear else values[name])
    return net


def _optimizer(net: Net, numbers: dict[str, Any]) -> paddle.optimizer.Optimizer:
    patterns = numbers["weight_decay_exempt"]
    exempt = [
        own for name, own in net.model.named_parameters() if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    others = [own for own in net.parameters() if all(own is not one for one in exempt)]
    groups: Any = others
    if exempt:
        groups = [{"params": others}, {"params": exempt, "weight_decay": 0.0}]
    given, rate, decay = numbers["optimizer_params"], numbers["learning_rate"], numbers["weight_decay"] or None
    if numbers["optimizer"] == "adam":
        return paddle.optimizer.Adam(
            rate, given["beta1"], given["beta2"], given["epsilon"], parameters=groups, weight_decay=decay
        )
    return paddle.optimizer.RMSProp(
        rate, given["gamma1"], given["epsilon"], centered=given["centered"], parameters=groups, weight_decay=decay
    )


if __name__ == "__main__":
    paddle.set_device("cpu")
    measuring.serve(f"Paddle {paddle.__version__}", make, gemm)
