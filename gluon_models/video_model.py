"""What every model on frame features has in common: how it is called, and how lengths hide padding."""

from collections.abc import Iterable, Sequence
from typing import Any

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_models import graphs
from gluon_models.errors import ModelError
from gluon_models.video_dense import VideoDense, rows_known

KEPT_GRAPHS = 8  # each has memory of its own; a training has four: pieces of two sizes, those of a last batch too
_COMPILED = ("_cached_graph", "_cached_op", "_cached_op_args", "_in_format", "_out_format")  # Gluon's names


class VideoModel(HybridBlock):
    """Base of the models: called as `net(features, lengths)`, returns logits (batch, classes).

    `features` is a list of (batch, frames, dim) arrays, one a modality, in the order of `modalities`.
    `lengths` counts the real frames of each video; the frames after them are padding and never change an
    output, whatever finite values they have (the loaders pad with 0; a NaN would come through as 0 times NaN).
    It is (batch,) if all modalities have the same count, (batch, modalities) if each has its own (a video
    without sound has 0 there), of any integer or float type, or None where every frame is real, which saves the
    masking.

    Args:
        modalities: Names of the modalities.
        prefix: Gluon's name prefix.
        params: Gluon's shared parameters.

    Attributes:
        cpu_batch: Videos that a CPU should train on at once, at most, for its memory's sake; None for any number.
    """

    cpu_batch: int | None = None

    def __init__(self, modalities: Sequence[str], prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        if not modalities:
            raise ModelError("a model needs at least one modality")
        self.modalities = list(modalities)
        self._graphs: dict[tuple[bool, int | None], dict[str, Any]] = {}
        self._graph_of: tuple[bool, int | None] | None = None
        self._wants_rows: bool | None = None

    def forward(self, features: Sequence[Any], lengths: Any = None) -> Any:
        """Runs the net; see the class for shapes.

        Raises:
            ModelError: the number of feature arrays is not the number of modalities, or `lengths` is of
                another shape.
        """
        if len(features) != len(self.modalities):
            raise ModelError(f"{len(features)} feature arrays for the modalities {', '.join(self.modalities)}")
        if isinstance(lengths, mx.nd.NDArray):  # a symbol has no shape yet
            common, each = (len(features[0]),), (len(features[0]), len(self.modalities))
            if lengths.shape not in (common, each):
                names = ", ".join(self.modalities)
                raise ModelError(f"lengths has shape {lengths.shape}; it must be {common}, or {each} for {names}")
        if not isinstance(features[0], mx.nd.NDArray):
            return super().forward(list(features), lengths)
        rows = self._rows(features[0])
        self._take_graph((lengths is not None, rows))  # a hybridized graph either has the input `lengths` or has not
        with rows_known(rows if self._active else None):  # a part may be compiled alone, for any number
            return super().forward(list(features), lengths)

    def _take_graph(self, graph_of: tuple[bool, int | None]) -> None:
        """Go on with the graph that was compiled for such calls; others are kept: work of theirs may be pending."""
        if self._graph_of == graph_of:
            return
        if self._graph_of is not None and self._cached_op is not None:
            self._graphs[self._graph_of] = {name: getattr(self, name) for name in _COMPILED}
        if len(self._graphs) >= KEPT_GRAPHS and graph_of not in self._graphs:
            graphs.release(self)  # not safe amid a step of so many sizes, which no training has
        kept, self._graph_of = self._graphs, graph_of
        super()._clear_cached_op()
        for name, value in kept.get(graph_of, {}).items():
            setattr(self, name, value)

    def _clear_cached_op(self) -> None:
        """Gluon's, whenever what was compiled holds no longer."""
        self._graphs, self._graph_of = {}, None
        super()._clear_cached_op()

    def _rows(self, frames: mx.nd.NDArray) -> int | None:
        """How many videos a graph is made for; None for any number, where knowing it would not make it faster."""
        if self._wants_rows is None:
            found: list[VideoDense] = []
            self.apply(lambda block: found.append(block) if isinstance(block, VideoDense) else None)
            self._wants_rows = any(block.is_large for block in found)
        return len(frames) if self._wants_rows and frames.context.device_type == "cpu" else None

    def lengths_of(self, F: Any, index: int, frames: Any, lengths: Any) -> Any:
        """Returns the lengths of modality number `index`, int32 (batch,), or None.

        A symbol does not know whether `lengths` is (batch,) or (batch, modalities). Tiled to M columns the
        former is the same in each, and the first M columns of the latter stay as they are. Lengths beyond the
        frames at hand are cut: MXNet's operators would read, and write, past the end of the array.
        """
        if lengths is None:
            return None
        columns = F.tile(F.reshape(lengths, shape=(0, -1)), reps=(1, len(self.modalities)))  # (B, M) or (B, M * M)
        column = F.reshape(F.slice_axis(columns, axis=1, begin=index, end=index + 1), shape=(-1,))  # (B,)
        frame_count = F.slice_axis(F.shape_array(frames), axis=0, begin=1, end=2)  # (1,)
        return F.maximum(F.broadcast_minimum(F.cast(column, "int32"), F.cast(frame_count, "int32")), 0)  # (B,)


def check_sizes(**sizes: int | Iterable[int]) -> None:
    """Raises a ModelError unless every size, or every one of a list of sizes, is at least 1."""
    for name, value in sizes.items():
        for size in value if isinstance(value, Iterable) else [value]:
            if size < 1:
                raise ModelError(f"{name} has a size of {size}; it must be at least 1")
