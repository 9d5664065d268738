"""PyTorch's side, as one would write it there for speed."""

import importlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils import mkldnn

from benchmarks.peers import measuring, videos_torch
from benchmarks.peers.measuring import Case, Counted, Epoch, Videos, Way


class Net(nn.Module):
    """A model on features as they are stored.

    Args:
        case: what is computed.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.model = importlib.import_module(f"benchmarks.peers.{case.numbers['model']}_torch").make(case)
        self.rules = [measuring.to_floats(limits) for limits in case.ranges.values()]

    def forward(self, *features: torch.Tensor) -> torch.Tensor:
        """Features (B, T, F_m) -> logits (B, C)."""
        if self.rules:
            features = tuple(
                frames.to(torch.float32).mul_(factor).add_(least)  # (B, T, F_m)
                for frames, (factor, least) in zip(features, self.rules, strict=True)
            )
        return self.model(*features)


def make(case: Case, folder: Path, names: list[str], batches: list[Videos]) -> dict[str, Way]:
    """The ways to train or to predict."""
    return {name: (_training if case.mode == "train" else _prediction)(case, folder, name, batches) for name in names}


def gemm(matrix: np.ndarray) -> Callable[[], None]:
    """Through the function of fully connected layers."""
    own = torch.from_numpy(matrix)

    def multiply() -> None:
        functional.linear(own, own)

    return multiply


def _training(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    """Ways: "default", "fused" (Adam; RMSProp has no such), "compiled" (net and optimizer), `measuring.WITHOUT`."""
    net, given = _loaded(case, folder), _given(batches)
    with torch.no_grad():
        checked = net.eval()(*(own[: measuring.CHECKED_VIDEOS] for own in given[0][0])).numpy()  # (8, C)
    net.train()
    optimizer = _optimizer(net, case.numbers, fused=name == "fused")
    forward = torch.compile(net) if name == "compiled" else net
    update = torch.compile(optimizer.step) if name == "compiled" else optimizer.step
    total = torch.zeros(())

    def train(features: list[torch.Tensor], labels: torch.Tensor) -> None:
        logits = forward(*features)  # (B, C)
        if case.single_label:
            loss = functional.cross_entropy(logits, labels)
        else:
            loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / case.batch_size
        optimizer.zero_grad()
        loss.backward()
        if name != measuring.WITHOUT:
            update()
        total.add_(loss.detach())

    def step(number: int) -> None:
        train(*given[number % len(given)])

    def epoch(of: Epoch) -> Counted:
        counted = Counted()
        for features, lengths, labels, _ in videos_torch.epoch(of, case.batch_size, case.numbers["seg_num"]):
            train(features, labels)
            counted.add(lengths.amax(1).numpy(), max(own.shape[1] for own in features))
        return counted

    for number in range(3 if name == "compiled" else 0):  # it compiles anew once the optimizer has a state
        step(number)
    return Way(step, lambda: None, checked, epoch)


def _prediction(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    """Ways: "eager", "compiled", "prepacked" (weights as oneDNN wants them)."""
    net = _loaded(case, folder).eval()
    given = _given(batches)
    if name == "compiled":
        torch._inductor.config.freezing = True  # weights become constants
        forward: Callable[..., torch.Tensor] = torch.compile(net)
    else:
        forward = mkldnn.to_mkldnn(net) if name == "prepacked" else net

    def compute(number: int) -> np.ndarray:
        with torch.no_grad():
            return forward(*given[number % len(given)][0]).numpy()  # (B, C)

    return Way(compute, lambda: None, compute(0))


def _loaded(case: Case, folder: Path) -> Net:
    net = Net(case)
    values = measuring.saved(folder)
    net.model.load_state_dict({name: torch.from_numpy(own) for name, own in values.items() if name != "logits"})
    return net


def _given(batches: list[Videos]) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
    """Without a copy."""
    return [([torch.from_numpy(own) for own in each.features], torch.from_numpy(each.labels)) for each in batches]


def _optimizer(net: Net, numbers: dict[str, Any], fused: bool) -> torch.optim.Optimizer:
    exempt = [
        own
        for name, own in net.model.named_parameters()
        if any(fnmatchcase(name, pattern) for pattern in numbers["weight_decay_exempt"])
    ]
    others = [own for own in net.parameters() if all(own is not one for one in exempt)]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": numbers["weight_decay"]}]
    if exempt:
        groups.append({"params": exempt, "weight_decay": 0.0})
    given, rate = numbers["optimizer_params"], numbers["learning_rate"]
    if numbers["optimizer"] == "adam":
        return torch.optim.Adam(groups, rate, (given["beta1"], given["beta2"]), given["epsilon"], fused=fused)
    return torch.optim.RMSprop(groups, rate, given["gamma1"], given["epsilon"], centered=given["centered"])


if __name__ == "__main__":
    torch.set_num_threads(measuring.threads())
    torch.set_flush_denormal(True)
    measuring.serve(f"PyTorch {torch.__version__}", make, gemm)
