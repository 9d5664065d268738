"""float16 where a net can be computed in it, by MXNet's AMP: parameters and their optimizer stay float32.

AMP changes MXNet's operators for good, and so a process has one precision.
"""

from collections.abc import Sequence

import mxnet as mx
from mxnet.contrib import amp

from experiments.collective import Collective
from experiments.errors import UserError


def start(dtype: str, contexts: Sequence[mx.Context], job: Collective) -> None:
    """Have the nets that are made from now on computed in ``dtype``, float32 or float16.

    Raises:
        UserError: if a device cannot, or the optimizer is where gradients are not looked at.
    """
    if dtype == "float32":
        return
    for context in contexts:
        if context.device_type != "gpu":
            raise UserError(f"runtime.dtype={dtype}: MXNet computes it on GPUs alone, not on {context}; take float32")
    if job.is_async:
        raise UserError(f"runtime.dtype={dtype}: dist_async cannot leave out a step that overflows; take dist_sync")
    amp.init(dtype)


def is_on() -> bool:
    """Whether `start` has."""
    return amp.amp._amp_initialized


class LossScale:
    """What losses are multiplied by, so that no gradient is too small for float16; AMP finds it while it trains.

    A step whose gradients overflow is left out, on all devices and workers alike, as they see the same sums.

    Args:
        trainer: to be told of it, before its first step.
    """

    def __init__(self, trainer: mx.gluon.Trainer):
        amp.init_trainer(trainer)
        self._trainer = trainer

    def scaled(self, totals: list[mx.nd.NDArray]) -> list[mx.nd.NDArray]:
        """``totals`` multiplied; the trainer's next step divides by as much. To be recorded."""
        with amp.scale_loss(totals, self._trainer) as scaled:
            return scaled

    def state(self) -> list[float]:
        """For a checkpoint."""
        own = self._trainer._amp_loss_scaler
        return [own._loss_scale, own._next_loss_scale, own._unskipped]

    def load(self, state: Sequence[float]) -> None:
        """Go on from a `state`."""
        own = self._trainer._amp_loss_scaler
        own._loss_scale, own._next_loss_scale, own._unskipped = state
