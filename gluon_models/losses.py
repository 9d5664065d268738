"""Losses on logits, one number a video; how they are averaged is the recipe's.

With L the sum of these numbers over a batch of B videos, `Trainer.step(k)` follows the gradient of L / k: k =
B for the mean over the batch (Attention Cluster of PaddlePaddle/models), k = 1 for the sum (AttentionLSTM of
PaddleVideo).
"""

from typing import Any

from mxnet.gluon import HybridBlock


class SigmoidCrossEntropy(HybridBlock):
    """Binary cross-entropy of every class, summed over the classes.

    loss = sum over c of  max(x_c, 0) - x_c y_c + log(1 + exp(-|x_c|)), which never overflows. MXNet's own
    SigmoidBCELoss gives the mean over the classes instead; the derivative of its abs is wrong where x is
    exactly 0, and its softrelu is off by 1e-6, which 3862 small terms add up to 1e-5 of the loss.
    """

    def hybrid_forward(self, F: Any, logits: Any, labels: Any) -> Any:
        """Logits x (B, C), labels y (B, C) of 0 and 1 -> (B,)."""
        positive = F.relu(logits)  # max(x, 0), and -|x| = x - 2 max(x, 0)
        loss = positive - logits * labels + F.log1p(F.exp(logits - 2.0 * positive))  # (B, C)
        return F.sum(loss, axis=1)


class SoftmaxCrossEntropy(HybridBlock):
    """Cross-entropy of the softmax, for videos of exactly one class y: loss = -log softmax(x)_y."""

    def hybrid_forward(self, F: Any, logits: Any, labels: Any) -> Any:
        """Logits x (B, C), labels (B, C) with a single 1 -> (B,)."""
        log_probabilities = F.expand_dims(F.log_softmax(logits, axis=1), axis=1)  # (B, 1, C)
        return -F.reshape(F.batch_dot(log_probabilities, F.expand_dims(labels, axis=2)), shape=(-1,))  # (B,)
