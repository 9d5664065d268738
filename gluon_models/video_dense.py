"""Fully connected layers on whole videos, fast for a batch on a CPU."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mxnet as mx
from mxnet.gluon import nn

LARGE = 1 << 18  # weights, from which on it pays
_known = threading.local()


@contextmanager
def rows_known(rows: int | None) -> Iterator[None]:
    """While a graph is made here, its batches have so many videos; a symbol does not say. None: any number."""
    before, _known.rows = getattr(_known, "rows", None), rows
    try:
        yield
    finally:
        _known.rows = before


class VideoDense(nn.Dense):
    """y = activation(x W^T + b), as `nn.Dense`, for x (B, in_units).

    Of the two ways to multiply, x W^T and (W x^T)^T, MXNet's oneDNN takes the second 5, 1.9 and 1.2 times as
    fast for a B of 32, 128 and 256 (two threads, 36,864 to 1,024): the large factor has to be the left one. The
    operator has to be told B then.
    """

    def _alias(self) -> str:
        """Named as Gluon's: by the order of names optimizers find their states in a checkpoint again."""
        return "dense"

    @property
    def is_large(self) -> bool:
        """Whether it is worth while to know B."""
        return self.weight.shape[0] * self.weight.shape[1] >= LARGE

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any) -> Any:
        """(B, in_units) -> (B, units)."""
        rows = _rows(F, x) if self.is_large else None
        if rows is None or rows >= self._units:
            return super().hybrid_forward(F, x, weight, bias)
        products = F.transpose(F.FullyConnected(weight, x, num_hidden=rows, no_bias=True))  # (B, units)
        # A matrix product, because the backward pass of MXNet's broadcasting is several times slower on a CPU.
        ones = F.ones_like(F.slice_axis(x, axis=1, begin=0, end=1))  # (B, 1)
        column = F.reshape(bias, shape=(-1, 1))  # (units, 1)
        output = products + F.FullyConnected(ones, column, num_hidden=self._units, no_bias=True)  # (B, units)
        return output if self.act is None else self.act(output)


def _rows(F: Any, x: Any) -> int | None:
    """B, where it is known and pays."""
    if F is mx.sym:
        return getattr(_known, "rows", None)
    return len(x) if x.context.device_type == "cpu" else None
