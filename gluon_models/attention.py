"""Attention units over the frames of one modality, and the shifting operation.

Long et al., "Attention Clusters: Purely Attention Based Local Feature Integration for Video Classification",
CVPR 2018, arXiv 1711.09550. In comments on shapes B is the batch, T the frames, F the width of a local
feature and N the number of attention units of the cluster.
"""

import math
from typing import Any

from mxnet.gluon import HybridBlock, nn

from gluon_models.errors import ModelError
from gluon_models.initializers import msra_normal, msra_uniform, shift_normal

FC2_HIDDEN = 128  # width of the hidden layer of attention "fc2"
EPSILON = 1e-12  # under the root of the L2 norm, as in Paddle's l2_normalize


def masked_softmax(F: Any, scores: Any, lengths: Any, rows: int) -> Any:
    """Softmax over the real frames, exactly 0 on the padding and everywhere in a video of length 0.

    Args:
        F: mx.nd or mx.sym.
        scores: (B, rows, T) of any finite size; the maximum is subtracted.
        lengths: (B,) int32, or None where every frame is real.
        rows: Number of scores a frame.

    Returns:
        (B, rows, T), each row summing to 1 or, at length 0, to 0.
    """
    if lengths is None:
        return F.softmax(scores, axis=-1)
    lengths = F.tile(F.expand_dims(lengths, axis=1), reps=(1, rows))  # (B, rows)
    return F.softmax(scores, lengths, axis=-1, use_length=True)


class AttentionUnits(HybridBlock):
    """N attention units: how much each of them weighs each frame.

    - "average": a_kt = 1 / T
    - "fc1": a_k = softmax over t of (w_k x_t + b_k)
    - "fc2": a_k = softmax over t of (w_k tanh(W x_t + c) + b_k), with a hidden layer of 128

    Args:
        kind: "average", "fc1" or "fc2".
        dim: F.
        units: N.
    """

    def __init__(self, kind: str, dim: int, units: int) -> None:
        super().__init__()
        if kind not in ("average", "fc1", "fc2"):
            raise ModelError(f"attention is {kind!r}; it must be 'average', 'fc1' or 'fc2'")
        self._units = units
        with self.name_scope():
            self.hidden = _dense(FC2_HIDDEN, dim, activation="tanh") if kind == "fc2" else None
            self.score = None if kind == "average" else _dense(units, FC2_HIDDEN if kind == "fc2" else dim)

    def hybrid_forward(self, F: Any, frames: Any, lengths: Any = None) -> Any:
        """Frames (B, T, F), lengths (B,) int32 or None -> weights (B, N, T)."""
        if self.score is None:  # an average is attention with equal scores
            scores = F.zeros_like(F.slice_axis(frames, axis=2, begin=0, end=1))  # (B, T, 1)
            scores = F.broadcast_axis(scores, axis=2, size=self._units)  # (B, T, N)
        else:
            scores = self.score(frames if self.hidden is None else self.hidden(frames))  # (B, T, N)
        scores = F.transpose(scores, axes=(0, 2, 1))  # (B, N, T): softmax is fast over the last axis only
        return masked_softmax(F, scores, lengths, self._units)


class Cluster(HybridBlock):
    """The N attention units of one modality, their outputs side by side.

    A unit gives v_k = sum over t of a_kt x_t. The shifting operation makes of it

        psi_k = (alpha_k v_k + beta_k) / (sqrt(N) |alpha_k v_k + beta_k|)

    with learned scalars alpha_k and beta_k.

    Args:
        kind: Attention, "average", "fc1" or "fc2".
        dim: F.
        units: N.
        shifting: Give psi_k; otherwise v_k.
    """

    def __init__(self, kind: str, dim: int, units: int, shifting: bool) -> None:
        super().__init__()
        self._units = units
        self._width = units * dim
        self.shifting = shifting
        with self.name_scope():
            self.attention = AttentionUnits(kind, dim, units)
            if shifting:
                self.alpha = self.params.get("alpha", shape=(units,), init=shift_normal(units))
                self.beta = self.params.get("beta", shape=(units,), init=shift_normal(units))

    def hybrid_forward(self, F: Any, frames: Any, lengths: Any = None, alpha: Any = None, beta: Any = None) -> Any:
        """Frames (B, T, F), lengths (B,) int32 or None -> (B, N * F)."""
        weights = self.attention(frames, lengths)  # a, (B, N, T)
        if not self.shifting:
            return F.flatten(F.batch_dot(weights, frames))  # v, (B, N * F)

        # alpha_k v_k + beta_k is one matrix product: alpha_k goes into the attention weights, and beta_k is
        # the weight of one more frame, a frame of ones.
        frame_of_ones = F.ones_like(F.slice_axis(frames, axis=1, begin=0, end=1))  # (B, 1, F)
        ones = F.ones_like(F.slice_axis(frames, axis=2, begin=0, end=1))  # (B, T, 1)
        alphas = self._spread(F, alpha, ones)  # (B, T, N)
        betas = self._spread(F, beta, F.slice_axis(ones, axis=1, begin=0, end=1))  # (B, 1, N)
        weights = F.concat(alphas * F.transpose(weights, axes=(0, 2, 1)), betas, dim=1)  # (B, T + 1, N)
        frames = F.concat(frames, frame_of_ones, dim=1)  # (B, T + 1, F)
        shifted = F.batch_dot(weights, frames, transpose_a=True)  # alpha v + beta, (B, N, F)

        psi = F.L2Normalization(F.reshape(shifted, shape=(-3, 0)), eps=EPSILON, mode="instance")  # (B * N, F)
        return F.reshape(psi / math.sqrt(self._units), shape=(-1, self._width))  # (B, N * F)

    def _spread(self, F: Any, values: Any, ones: Any) -> Any:
        """Values (N,), ones (B, R, 1) -> the values in every row, (B, R, N).

        A matrix product, because the backward pass of MXNet's broadcasting is several times slower on a CPU.
        """
        values = F.reshape(values, shape=(-1, 1))
        return F.FullyConnected(ones, values, num_hidden=self._units, no_bias=True, flatten=False)


def _dense(units: int, in_units: int, activation: str | None = None) -> nn.Dense:
    """A layer on every frame, initialised as Paddle initialises its attention."""
    return nn.Dense(
        units,
        activation=activation,
        in_units=in_units,
        flatten=False,
        weight_initializer=msra_normal(in_units),
        bias_initializer=msra_uniform(units),
    )
