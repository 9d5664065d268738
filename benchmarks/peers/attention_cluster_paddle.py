"""Attention Cluster in Paddle; parameters have the names of ours."""

import itertools

import paddle
from paddle import nn
from paddle.nn import functional

from benchmarks.peers.measuring import Case

EPSILON = 1e-12  # under the root of the L2 norm


class Cluster(nn.Layer):
    """Attention fc1 and shifting.

    Args:
        width: F.
        units: N.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.score = nn.Linear(width, units)
        self.alpha = self.create_parameter([units])
        self.beta = self.create_parameter([units])

    def forward(self, frames: paddle.Tensor) -> paddle.Tensor:
        """Frames (B, T, F) -> (B, N * F)."""
        weights = functional.softmax(self.score(frames).transpose([0, 2, 1]), axis=2)  # (B, N, T)
        units = paddle.bmm(weights, frames)  # (B, N, F)
        units = units * self.alpha.unsqueeze(1) + self.beta.unsqueeze(1)  # (B, N, F)
        # Not units.square(): Paddle's engine takes it for the addition's activation, and loses the sum itself.
        norms = ((units * units).sum(2, keepdim=True) + EPSILON) * self.units  # (B, N, 1), N |unit|^2
        return (units * norms.rsqrt()).flatten(1)


class AttentionCluster(nn.Layer):
    """Clusters of all modalities -> concat -> dropout -> FC tanh ... -> FC.

    Args:
        case: what is computed, with shifting.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        numbers = case.numbers
        units = numbers["cluster_nums"]
        for name, width in case.feature_dims.items():
            self.add_sublayer(f"cluster_{name}", Cluster(width, units))
        self.clusters = [getattr(self, f"cluster_{name}") for name in case.feature_dims]
        modes = {"upscale_in_train": "upscale_in_train", "downgrade_in_infer": "downscale_in_infer"}
        self.dropout = nn.Dropout(numbers["dropout"], mode=modes[numbers["dropout_mode"]])
        sizes = [units * sum(case.feature_dims.values()), *numbers["hidden_units"]]
        self.hidden = nn.LayerList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.classifier = nn.Linear(sizes[-1], case.classes)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Features, each (B, T, F_m), -> logits (B, C)."""
        pairs = zip(self.clusters, features)  # noqa: B905  Paddle's compiler knows no strict
        outputs = [cluster(frames) for cluster, frames in pairs]
        video = self.dropout(paddle.concat(outputs, 1))  # (B, sum of N * F_m)
        for layer in self.hidden:
            video = paddle.tanh(layer(video))
        return self.classifier(video)


def make(case: Case) -> AttentionCluster:
    """The net, without values."""
    return AttentionCluster(case)
