"""Makes one data file of the videos of some spans."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from datasets import hdf5, sources
from datasets.errors import DataError
from datasets.hdf5 import SEGMENT_COLUMNS
from datasets.layout import Layout, bad_record, refused
from datasets.record import BadRecord, Record
from datasets.sources import Span

REPORTED_BYTES = 1 << 22  # how much is read between two reports of progress
EXPECTED_BYTES = 1 << 30  # at most, when space is set aside: what cannot be read may be of any size

Made = tuple[list[str], list[BadRecord]]  # the ids of a file's videos, and what was left out


@dataclass(frozen=True)
class Task:
    """One data file to make.

    Attributes:
        path: where it goes.
        spans: what it is made of.
        layout: that its videos must have.
        command: to be noted in it.
        source: what the spans are, likewise.
        conversion: of which it is a part, likewise.
        skip_bad: leave out records that cannot be used; otherwise the first one ends the conversion.
        taken: ids that other files have already.
    """

    path: Path
    spans: list[Span]
    layout: Layout
    command: str
    source: str
    conversion: str
    skip_bad: bool
    taken: frozenset[str] = frozenset()


class Progress(Protocol):
    """Whom a process tells how far it is, and asks whether to go on."""

    def add(self, size: int, videos: int) -> None:
        """Count ``size`` bytes of sources and ``videos`` found in them."""

    def stopped(self) -> bool:
        """Whether nobody waits for the file any more."""


def make(task: Task, progress: Progress, to_disk: bool = False) -> Made:
    """Read, check and write one data file.

    Args:
        task: which.
        progress: told every few megabytes.
        to_disk: wait until the disk has it. Otherwise the first process does, while this one makes the next file.

    Returns:
        The ids of its videos, and what was left out.

    Raises:
        DataError: at the first record that cannot be used, unless ``skip_bad``; or if the file cannot be written.
    """
    videos = _Videos(task.layout, min(EXPECTED_BYTES, sum(span.size for span in task.spans)))
    bad: list[BadRecord] = []
    unreported = counted = 0
    for span in task.spans:
        for entry in sources.read(span):
            try:
                if isinstance(entry.content, str):
                    raise DataError(entry.content)
                if entry.content.id in task.taken:
                    raise DataError(f"the id {entry.content.id} occurs in an earlier source already")
                videos.add(entry.content)
            except DataError as error:
                if not task.skip_bad:
                    raise refused(span, entry, str(error)) from error
                bad.append(bad_record(span, entry, str(error)))
            unreported += entry.size
            if unreported >= REPORTED_BYTES:
                progress.add(unreported, len(videos.ids) - counted)
                unreported, counted = 0, len(videos.ids)
                if progress.stopped():
                    raise DataError("stopped")
    progress.add(unreported, len(videos.ids) - counted)
    # Without their folders, which say nothing of the content: the same sources elsewhere give the same bytes.
    skipped = [str(replace(record, file=sources.name_of(Path(record.file)))) for record in bad]
    hdf5.write(task.path, videos.shard(task, skipped), to_disk)
    return list(videos.ids), bad


class _Videos:
    """The content of a data file while it grows.

    Args:
        layout: of all videos.
        size: bytes of all features that are to be expected.
    """

    def __init__(self, layout: Layout, size: int):
        self._layout = layout
        self._features = {
            name: _Frames(dim, dtype, size // (dim * dtype.itemsize))
            for name, (dim, dtype) in layout.modalities.items()
        }
        self._labels: list[np.ndarray] = []
        self._segments: list[dict[str, np.ndarray]] = []
        self.ids: dict[str, None] = {}  # a set that keeps its order

    def add(self, record: Record) -> None:
        """One video more.

        Raises:
            DataError: with the reason why it is not taken.
        """
        if record.id in self.ids:
            raise DataError(f"the id {record.id} occurs already")
        self._layout.check(record)
        for name, frames in self._features.items():
            frames.append(record.features.get(name))
        self._labels.append(record.labels)
        self._segments.append(record.segments)
        self.ids[record.id] = None

    def shard(self, task: Task, skipped: list[str]) -> hdf5.Shard:
        """All of it, to be written."""
        return hdf5.Shard(
            features={name: frames.all() for name, frames in self._features.items()},
            offsets={name: np.array(frames.offsets) for name, frames in self._features.items()},
            labels=np.concatenate([np.empty(0, np.int64), *self._labels]),
            label_offsets=np.cumsum([0] + [len(labels) for labels in self._labels]),
            ids=list(self.ids),
            num_classes=self._layout.num_classes,
            single_label=self._layout.single_label,
            ranges=self._layout.ranges,
            source=task.source,
            **self._segment_columns(),
            skipped=skipped,
            command=task.command,
            conversion=task.conversion,
        )

    def _segment_columns(self) -> dict:
        if not any(self._segments):
            return {}
        columns = {
            name: np.concatenate([segments.get(name, np.empty(0, dtype)) for segments in self._segments])
            for name, dtype in SEGMENT_COLUMNS.items()
        }
        counts = [len(segments.get("labels", ())) for segments in self._segments]
        return {"segments": columns, "segment_offsets": np.cumsum([0, *counts])}


class _Frames:
    """Frames of one modality, video after video.

    Args:
        dim: width of a frame.
        dtype: of its values.
        capacity: frames to be expected; memory is taken only where there are some.
    """

    def __init__(self, dim: int, dtype: np.dtype, capacity: int):
        self._array = np.empty((capacity, dim), dtype)
        self.offsets = [0]

    def append(self, frames: np.ndarray | None) -> None:
        """The frames of one video, (frames, dim), if it has any."""
        start = self.offsets[-1]
        end = start + (0 if frames is None else len(frames))
        if end > len(self._array):  # a source larger than it looked
            more = np.empty((max(end, 2 * len(self._array)) - start, self._array.shape[1]), self._array.dtype)
            self._array = np.concatenate([self._array[:start], more])
        if end > start:
            self._array[start:end] = frames
        self.offsets.append(end)

    def all(self) -> np.ndarray:
        """All frames: (frames, dim)."""
        return self._array[: self.offsets[-1]]
