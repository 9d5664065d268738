"""What all videos of a dataset have in common: found in the first thousand, and every one held to it."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from datasets import own_data, sources
from datasets.errors import DataError
from datasets.record import MAX_CLASSES, BadRecord, Entry, Record
from datasets.sources import Kind, Span

YOUTUBE8M_CLASSES = 3862  # of the 2018 version
YOUTUBE8M_RANGE = (4 / 512 - 2, 4 / 512 + 2)  # Dequantize of google/youtube-8m: x * 4 / 255 + 4 / 512 - 2
BYTE_RANGE = (0.0, 255.0)  # bytes of one's own stand for themselves, unless told otherwise
MODALITIES = ("rgb", "audio", "flow")  # their order in a data file; others come after them, by name
MODALITY = re.compile(r"[^\W_][\w.-]*")  # it is to be a name in a file
SCANNED_RECORDS = 1000  # how many are looked at to tell what the many are like
MAX_ID_BYTES = 255


class NoVideoError(DataError):
    """Not one video can be used.

    Args:
        path: of the first source.
        bad: what was found instead.
    """

    def __init__(self, path: Path, bad: list[BadRecord]):
        super().__init__(f"{bad[0]}; no video can be used" if bad else f"{path}: no video found")
        self.bad = bad


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
        if not _is_id(record.id):
            raise DataError(f"the id {record.id[:40]!r} is not 1 to {MAX_ID_BYTES} bytes of UTF-8 without NUL")
        self._check_labels(record)
        self._check_segments(record.segments)
        if not any(len(record.features.get(name, ())) for name in self.modalities):
            raise DataError("no frames")
        for name, frames in record.features.items():
            if name in self.modalities:
                _check_frames(name, frames, *self.modalities[name])
            elif not self.chosen and len(frames):
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
            if (segments["start_times"] >= segments["end_times"]).any():
                raise DataError("a segment ends before it begins")

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
    """The layout of a dataset, by its first thousand videos and the user's choices.

    A modality is as wide and of the type that it is in most of them.

    Args:
        spans: what it is made of.
        modalities: to be kept; all that occur by default.
        num_classes: YouTube-8M's, or for own data as many as the CSV needs, by default.
        single_label: every video must have exactly one label.
        value_range: values that the bytes 0 and 255 stand for; YouTube-8M's by default, for own data 0 and 255.
        skip_bad: pass over records that cannot be used.

    Raises:
        DataError: if no video is found, or none that has a modality wanted, or a choice makes no sense.
    """
    _check_choices(modalities, num_classes, value_range)
    own = {span.kind is Kind.OWN_DATA for span in spans}
    if len(own) > 1:
        raise DataError(f"{spans[0].path}: own data and YouTube-8M in one dataset; convert them apart")
    found: dict[str, Counter[tuple[int, np.dtype]]] = {}
    bad: list[BadRecord] = []
    for record in islice(_videos(spans, modalities is None, bad if skip_bad else None), SCANNED_RECORDS):
        for name, frames in record.features.items():
            if frames.size:
                found.setdefault(name, Counter())[frames.shape[1], frames.dtype] += 1
    if not found:
        raise NoVideoError(spans[0].path, bad)
    for name in modalities or ():
        if name not in found:
            raise DataError(f"{spans[0].path}: no video has modality {name}; there are {', '.join(found)}")
    kept = {name: found[name].most_common(1)[0][0] for name in modalities or sorted(found, key=_place)}
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


def bad_record(span: Span, entry: Entry, reason: str) -> BadRecord:
    """What is noted of a record that is left out."""
    return BadRecord(str(span.path.absolute()), entry.number, entry.where, reason)


def _check_choices(
    modalities: Sequence[str] | None, num_classes: int | None, value_range: tuple[float, float] | None
) -> None:
    for name in modalities or ():
        if not MODALITY.fullmatch(name):
            raise DataError(f"--modalities: {_unnamable(name)}")
    if num_classes and num_classes > MAX_CLASSES:
        raise DataError(f"--num-classes {num_classes}: more than {MAX_CLASSES}, and labels have 32 bits")
    if value_range and not (all(map(math.isfinite, value_range)) and value_range[0] < value_range[1]):
        raise DataError("--range {:g} {:g}: not two numbers of which the first is the smaller".format(*value_range))


def _videos(spans: list[Span], names_matter: bool, bad: list[BadRecord] | None) -> Iterator[Record]:
    """Records that can be used at first sight; the others are put into ``bad``, or the first one is raised."""
    for span in spans:
        for entry in sources.read(span):
            content = entry.content
            if isinstance(content, Record):
                wrong = [name for name in content.features if names_matter and not MODALITY.fullmatch(name)]
                if any(frames.size for frames in content.features.values()) and not wrong:
                    yield content
                    continue
                content = _unnamable(wrong[0]) if wrong else "no frames"
            if bad is None:
                raise refused(span, entry, content)
            bad.append(bad_record(span, entry, content))


def _unnamable(name: str) -> str:
    return f"{name[:40]!r} is no name for a modality; use letters, digits, _ . - and begin with a letter or digit"


def _place(modality: str) -> tuple[int, str]:
    return MODALITIES.index(modality) if modality in MODALITIES else len(MODALITIES), modality


def _is_id(name: str) -> bool:
    try:
        return 0 < len(name.encode()) <= MAX_ID_BYTES and "\0" not in name
    except UnicodeEncodeError:  # a pickle may hold half a character
        return False


def _classes_of_own(spans: list[Span]) -> int:
    seen: set[str] = set()
    return max(1, *(own_data.num_classes(span.path, span.rows, seen) for span in spans))


def _check_frames(name: str, frames: np.ndarray, dim: int, dtype: np.dtype) -> None:
    if not len(frames):  # the video lacks this modality
        return
    if frames.shape[1] != dim:
        raise DataError(f"{name} is {frames.shape[1]} wide, not {dim} as in most videos")
    if frames.dtype != dtype:
        raise DataError(f"{name} has values of type {frames.dtype}, not {dtype} as in most videos")
    if dtype.kind == "f" and not np.isfinite(frames).all():
        raise DataError(f"{name} has values that are not finite")
