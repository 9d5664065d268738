"""What all videos of a dataset have in common: found in the first of them, and every one held to it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from datasets import own_data, sources
from datasets.errors import DataError
from datasets.record import Entry, Record
from datasets.sources import Kind, Span

YOUTUBE8M_CLASSES = 3862  # of the 2018 version
YOUTUBE8M_RANGE = (4 / 512 - 2, 4 / 512 + 2)  # Dequantize of google/youtube-8m: x * 4 / 255 + 4 / 512 - 2
BYTE_RANGE = (0.0, 255.0)  # bytes of one's own stand for themselves, unless told otherwise
SCANNED_RECORDS = 1000  # how many are looked through for a modality that the first lack
MAX_ID_BYTES = 255


@dataclass(frozen=True)
class Layout:
    """What every video must be like.

    Attributes:
        modalities: width and dtype of each modality that is kept, in the order of the data file.
        chosen: whether the user named them; others are then passed over, and refused otherwise.
        ranges: for each uint8 modality, the values that 0 and 255 stand for.
        num_classes: classes are numbered from 0.
        single_label: every video has exactly one label.
    """

    modalities: dict[str, tuple[int, np.dtype]]
    chosen: bool
    ranges: dict[str, tuple[float, float]]
    num_classes: int
    single_label: bool

    def check(self, record: Record) -> None:
        """See that ``record`` fits.

        Raises:
            DataError: with the reason why it does not.
        """
        if not record.id or "\0" in record.id or len(record.id.encode()) > MAX_ID_BYTES:
            raise DataError(f"the id {record.id[:40]!r} is not 1 to {MAX_ID_BYTES} bytes without NUL")
        self._check_labels(record)
        self._check_segments(record.segments)
        if not any(len(record.features.get(name, ())) for name in self.modalities):
            raise DataError("no frames")
        for name, frames in record.features.items():
            if name in self.modalities:
                _check_frames(name, frames, *self.modalities[name])
            elif not self.chosen:
                raise DataError(f"modality {name} is not among {', '.join(self.modalities)}; choose by --modalities")

    def _check_labels(self, record: Record) -> None:
        self._check_range(record.labels)
        if self.single_label and len(record.labels) != 1:
            raise DataError(f"{len(record.labels)} labels, not one")

    def _check_segments(self, segments: dict[str, np.ndarray]) -> None:
        if segments:
            self._check_range(segments["labels"])
            times = np.concatenate([segments["start_times"], segments["end_times"]])
            if times.min() < 0 or times.max() > np.iinfo(np.int32).max or not np.isfinite(segments["scores"]).all():
                raise DataError("a segment's time or score is no such thing")

    def _check_range(self, labels: np.ndarray) -> None:
        wrong = [label for label in labels.tolist() if not 0 <= label < self.num_classes]
        if wrong:
            raise DataError(f"label {wrong[0]} out of range, there are {self.num_classes} classes")


def find(
    spans: list[Span],
    modalities: Sequence[str] | None = None,
    num_classes: int | None = None,
    single_label: bool = False,
    value_range: tuple[float, float] | None = None,
    skip_bad: bool = False,
) -> Layout:
    """The layout of a dataset, by its first videos and the user's choices.

    Args:
        spans: what it is made of.
        modalities: to be kept; those of the first video by default.
        num_classes: YouTube-8M's, or for own data as many as the CSV needs, by default.
        single_label: every video must have exactly one label.
        value_range: values that the bytes 0 and 255 stand for; YouTube-8M's by default, for own data 0 and 255.
        skip_bad: pass over records that cannot be used.

    Raises:
        DataError: if no video is found, or none that has a modality wanted.
    """
    own = {span.kind is Kind.OWN_DATA for span in spans}
    if len(own) > 1:
        raise DataError(f"{spans[0].path}: own data and YouTube-8M in one dataset; convert them apart")
    found: dict[str, tuple[int, np.dtype]] = {}
    wanted = modalities
    for record in islice(_videos(spans, skip_bad), SCANNED_RECORDS):
        wanted = wanted or list(record.features)  # a video without any says nothing
        for name, frames in record.features.items():
            if name in wanted and frames.size:
                found.setdefault(name, (frames.shape[1], frames.dtype))
        if found.keys() >= set(wanted):
            break
    if not wanted:
        raise DataError(f"{spans[0].path}: no video found")
    for name in wanted:
        if name not in found:
            there = f"; there are {', '.join(found)}" if found else ""
            raise DataError(f"{spans[0].path}: no video has modality {name}{there}")
        if not re.fullmatch(r"[\w.-]+", name):
            raise DataError(f"{spans[0].path}: {name!r} is no name for a modality; use letters, digits, _ . -")
    kept = {name: found[name] for name in wanted}
    default_range = BYTE_RANGE if True in own else YOUTUBE8M_RANGE
    return Layout(
        modalities=kept,
        chosen=modalities is not None,
        ranges={name: value_range or default_range for name, (_, dtype) in kept.items() if dtype == np.uint8},
        num_classes=num_classes or (_classes_of_own(spans) if True in own else YOUTUBE8M_CLASSES),
        single_label=single_label,
    )


def refused(span: Span, entry: Entry, reason: str) -> DataError:
    """The error of a record that ends a conversion."""
    return DataError(f"{span.path}: record {entry.number} ({entry.where}): {reason}; --skip-bad leaves such out")


def _videos(spans: list[Span], skip_bad: bool) -> Iterator[Record]:
    for span in spans:
        for entry in sources.read(span):
            if isinstance(entry.content, Record):
                yield entry.content
            elif not skip_bad:
                raise refused(span, entry, entry.content)


def _classes_of_own(spans: list[Span]) -> int:
    return max(1, max(own_data.num_classes(span.rows) for span in spans))


def _check_frames(name: str, frames: np.ndarray, dim: int, dtype: np.dtype) -> None:
    if not len(frames):  # the video lacks this modality
        return
    if frames.shape[1] != dim:
        raise DataError(f"{name} is {frames.shape[1]} wide, not {dim}")
    if frames.dtype != dtype:
        raise DataError(f"{name} has values of type {frames.dtype}, not {dtype}")
    if dtype.kind == "f" and not np.isfinite(frames).all():
        raise DataError(f"{name} has values that are not finite")
