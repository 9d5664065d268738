"""Attention Cluster in PyTorch; parameters have the names of ours."""

import itertools

import torch
from torch import nn

from benchmarks.peers.measuring import Case

EPSILON = 1e-12  # under the root of the L2 norm


class Cluster(nn.Module):
    """Attention fc1, shifting if wanted.

    Args:
        width: F.
        units: N.
        shifting: Shift and normalise the output of every unit.
    """

    def __init__(self, width: int, units: int, shifting: bool) -> None:
        super().__init__()
        self.score = nn.Linear(width, units)
        self.shifting = shifting
        if shifting:
            self.alpha = nn.Parameter(torch.empty(units))
            self.beta = nn.Parameter(torch.empty(units))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, F) -> (B, N * F)."""
        weights = self.score(frames).transpose(1, 2).softmax(2)  # (B, N, T)
        units = torch.bmm(weights, frames)  # (B, N, F)
        if self.shifting:
            units = torch.addcmul(self.beta[:, None], units, self.alpha[:, None])  # (B, N, F)
            norms = units.square().sum(2, keepdim=True).add(EPSILON).mul(len(self.alpha))  # (B, N, 1), N |unit|^2
            units = units * norms.rsqrt()  # (B, N, F)
        return units.flatten(1)


class AttentionCluster(nn.Module):
    """Clusters of all modalities -> concat -> dropout -> FC tanh ... -> FC.

    Args:
        case: what is computed.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        numbers = case.numbers
        units, rate = numbers["cluster_nums"], numbers["dropout"]
        for name, width in case.feature_dims.items():
            self.add_module(f"cluster_{name}", Cluster(width, units, numbers["shifting"]))
        self.clusters = [getattr(self, f"cluster_{name}") for name in case.feature_dims]
        self.dropout = nn.Dropout(rate)
        self.scale = 1 - rate if numbers["dropout_mode"] == "downgrade_in_infer" else 1.0
        sizes = [units * sum(case.feature_dims.values()), *numbers["hidden_units"]]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.classifier = nn.Linear(sizes[-1], case.classes)

    def forward(self, *features: torch.Tensor) -> torch.Tensor:
        """Features (B, T, F_m) -> logits (B, C)."""
        outputs = [cluster(frames) for cluster, frames in zip(self.clusters, features, strict=True)]
        video = self.dropout(outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1))  # (B, sum of N * F_m)
        if self.scale != 1.0:
            video = video * self.scale
        for layer in self.hidden:
            video = layer(video).tanh()
        return self.classifier(video)


def make(case: Case) -> AttentionCluster:
    """The net, without values."""
    return AttentionCluster(case)
