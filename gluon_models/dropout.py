"""Dropout as each source has it."""

from typing import Any, Literal

from mxnet.gluon import nn

from gluon_models.errors import ModelError

DropoutMode = Literal["upscale_in_train", "downgrade_in_infer"]  # Paddle's names


class Dropout(nn.Dropout):
    """Dropout in one of two conventions.

    With m a random mask of zeros and ones:

    - "upscale_in_train": x m / (1 - p) in training, x in evaluation (Gluon, torch, PaddleVideo)
    - "downgrade_in_infer": x m in training, x (1 - p) in evaluation (the default of Paddle's Fluid)

    The second is the first times 1 - p, in training and in evaluation.

    Args:
        rate: p, the share that is dropped in training.
        mode: The convention.

    Attributes:
        rate: p.
        scale: What x is multiplied by in evaluation.

    Raises:
        ModelError: the rate is no share below 1, or there is no such mode.
    """

    def __init__(self, rate: float, mode: DropoutMode) -> None:
        check_rate("dropout", rate)
        if mode not in ("upscale_in_train", "downgrade_in_infer"):
            raise ModelError(f"dropout_mode is {mode!r}; it must be 'upscale_in_train' or 'downgrade_in_infer'")
        super().__init__(rate)
        self.rate = rate
        self.scale = 1.0 - rate if mode == "downgrade_in_infer" else 1.0

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """An array -> an array of the same shape."""
        kept = super().hybrid_forward(F, x)
        return kept if self.scale == 1.0 else kept * self.scale


def check_rate(name: str, rate: float) -> None:
    """Raises a ModelError unless `rate` is a share below 1; `name` is what the user calls it."""
    if not 0 <= rate < 1:
        raise ModelError(f"{name} is {rate}; it must be at least 0 and below 1")
