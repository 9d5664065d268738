"""The peer's side: the head of Flash-MNIST's table in PyTorch, as one would write it there for speed."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers import measuring

# torch.compile is left out: at these sizes it is no faster (N = 1 to 32: 0.73 to 1.01 of the speed without it) and
# takes 4 to 34 seconds a net, and Adam's third implementation, foreach, was never the fastest.
ADAMS: dict[str, dict[str, bool] | None] = {"Adam": {}, "fused Adam": {"fused": True}, measuring.WITHOUT: None}
EPSILON = 1e-12  # under the root of the L2 norm


class AttentionCluster(nn.Module):
    """Attention fc1, shifting if wanted, dropout, a fully connected layer.

    Args:
        units: N.
        shifting: Shift and normalise the output of every unit.
        dropout: Share of the units' outputs dropped in training.
    """

    def __init__(self, units: int, shifting: bool, dropout: float) -> None:
        super().__init__()
        self.score = nn.Linear(measuring.DIM, units)
        self.shifting = shifting
        if shifting:
            self.alpha = nn.Parameter(torch.empty(units))
            self.beta = nn.Parameter(torch.empty(units))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(units * measuring.DIM, measuring.CLASSES)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, F) -> logits (B, C)."""
        weights = self.score(frames).transpose(1, 2).softmax(2)  # (B, N, T)
        units = torch.bmm(weights, frames)  # (B, N, F)
        if self.shifting:
            units = torch.addcmul(self.beta[:, None], units, self.alpha[:, None])  # (B, N, F)
            norms = units.square().sum(2, keepdim=True).add(EPSILON).mul(len(self.alpha))  # (B, N, 1), N |unit|^2
            units = units * norms.rsqrt()  # (B, N, F)
        return self.classifier(self.dropout(units.flatten(1)))  # (B, C)


def make(numbers: dict[str, Any], path: str) -> tuple[dict[str, measuring.Train], float]:
    """Nets with the weights in ``path``, one an implementation of Adam, and how far their logits are off."""
    frames, classes = (torch.from_numpy(array) for array in measuring.videos(numbers["batch_size"]))
    saved = dict(np.load(path))
    logits = torch.from_numpy(saved.pop("logits"))  # (B, C)
    ways = {}
    for name, implementation in ADAMS.items():
        net = AttentionCluster(numbers["cluster_nums"], numbers["shifting"], numbers["dropout"])
        net.load_state_dict({name: torch.from_numpy(array) for name, array in saved.items()})
        with torch.no_grad():
            difference = ((net.eval()(frames[0]) - logits).abs().max() / logits.abs().max()).item()
        ways[name] = _training(net.train(), frames, classes, numbers, implementation)
    return ways, difference if math.isfinite(difference) else math.inf


def _training(
    net: nn.Module,
    frames: torch.Tensor,
    classes: torch.Tensor,
    numbers: dict[str, Any],
    implementation: dict[str, bool] | None,
) -> measuring.Train:
    """How ``net`` is trained on frames (S, B, T, F) of classes (S, B)."""
    given = numbers["optimizer_params"]
    betas = given["beta1"], given["beta2"]
    options = implementation or {}
    optimizer = torch.optim.Adam(net.parameters(), numbers["learning_rate"], betas, given["epsilon"], **options)
    total, step = torch.zeros(()), 0

    def train(steps: int) -> None:
        nonlocal step
        for _ in range(steps):
            number = step % len(frames)
            loss = functional.cross_entropy(net(frames[number]), classes[number])
            optimizer.zero_grad()
            loss.backward()
            if implementation is not None:
                optimizer.step()
            total.add_(loss.detach())
            step += 1

    return train


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    measuring.serve(f"PyTorch {torch.__version__}", make)
