"""Videos to predict, from whatever holds their features. Imports h5py only for a data file."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datasets import sources
from datasets.errors import DataError, one_line
from datasets.layout import MODALITIES, YOUTUBE8M_RANGE
from datasets.record import Entry, Record
from datasets.sources import Kind
from datasets.video_file import SUFFIXES

SPAN_BYTES = 1 << 40  # of a source that is read in one go
PREDICTIONS = (b"VideoId,LabelConfidencePairs", b'{"video": ')  # how files begin that a prediction wrote
NAMED = 5  # files that are told by name in one line


class Found(NamedTuple):
    """What an input holds.

    Attributes:
        features: files with features of videos, or what is taken for such.
        raw: video files, in the folders inside a folder too.
        passed_over: what lies in a folder besides and is not predicted.
    """

    features: list[Path]
    raw: list[Path]
    passed_over: list[Path]

    def note(self) -> str:
        """What is passed over, in a line."""
        names = [f"{path}/" if path.is_dir() else str(path) for path in self.passed_over]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"passed over: {', '.join(names[:NAMED])}{more}"


def look(given: Path, skip_missing: bool = False) -> Found:
    """The files that ``given`` names: itself, all of a folder, or those that the lines of a ``.txt`` name.

    In a folder with features of own data (.npz, .npy), its only CSV stands for all of them; a CSV of ids and labels
    without such is passed over where there is something else. So are folders in a folder of features; raw videos are
    looked for in these too. Hidden files, what `datasets.sources` knows to be no source, and predictions count for
    nothing.

    Args:
        given: a file or a folder.
        skip_missing: take the lines of a ``.txt`` for files that are not there too: reading them says so.

    Raises:
        DataError: if one is not there, there is none, or there are both features and raw videos.
    """
    found = _look(given, skip_missing, ())
    if found.features and found.raw:
        raise DataError(
            f"{given}: has both raw videos ({found.raw[0].name}) and features ({found.features[0].name});"
            " predict them one after the other, each from a folder or list of its own"
        )
    return found


def _look(given: Path, skip_missing: bool, lists: tuple[Path, ...]) -> Found:
    if given.suffix == ".txt" and given.is_file():
        if (own := given.resolve()) in lists:
            raise DataError(f"{given}: a list that names itself; remove that line")
        lines = [line.strip() for line in given.read_text(errors="replace").splitlines()]
        named = [given.parent / line for line in lines if line and not line.startswith("#")]
        if not named:
            raise DataError(f"{given}: names no file; give one a line")
        if not skip_missing and (missing := [path for path in named if not path.exists()]):
            raise DataError(f"{given}: {missing[0]}: no such file or folder")
        parts = [_look(path, skip_missing, (*lists, own)) for path in named]
        return Found(*([path for own in column for path in own] for column in zip(*parts, strict=True)))
    if given.is_dir():
        return _look_in(given)
    if not given.exists() and not (skip_missing and lists):
        raise DataError(f"{given}: no such file or folder")
    return Found([], [given], []) if given.suffix.lower() in SUFFIXES else Found([given], [], [])


def _look_in(folder: Path) -> Found:
    raw = set(raw_in(folder))
    kinds = {path: kind for path, kind in sources.kinds_in(folder).items() if path not in raw and not _is_told(path)}
    of_kind: dict[Kind, list[Path]] = {kind: [path for path, own in kinds.items() if own is kind] for kind in Kind}
    arrays, tables, strange = of_kind[Kind.FEATURES], of_kind[Kind.OWN_DATA], of_kind[Kind.UNKNOWN]
    features = [path for kind in (Kind.DATA_FILE, Kind.TFRECORD, Kind.PICKLE) for path in of_kind[kind]]
    folders = [path for path in folder.iterdir() if not (path.is_file() or path in raw or path.name.startswith("."))]
    if raw:  # of which a CSV tells labels
        return Found(sorted([*features, *arrays]), sorted(raw), sorted([*tables, *strange]))
    if arrays:
        features.append(sources.table_in(folder, kinds))
    passed_over = [*folders, *(tables if features and not arrays else [])]
    found = Found(sorted({*features, *strange, *tables} - {*passed_over}), [], sorted(passed_over))
    if not found.features:
        names = ", ".join(sorted(map(sources.name_of, folders)))
        raise DataError(f"{folder}: no video in it" + (f"; it has folders: {names}" if names else ""))
    return found


def raw_in(folder: Path) -> list[Path]:
    """Raw videos in ``folder`` and the folders in it, but for what is hidden, in the order of their names."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    return sorted(found)


def _is_told(path: Path) -> bool:
    """Whether ``path`` is a file of predictions."""
    with path.open("rb") as file:
        return file.read(len(PREDICTIONS[0])).startswith(PREDICTIONS)


def read(path: Path) -> Iterator[Entry]:
    """Everything that stands in the file ``path``, good or bad.

    Raises:
        DataError: if it cannot be read at all.
    """
    if sources.kind_of(path) is Kind.DATA_FILE:
        yield from _of_data_file(path)
        return
    for span in sources.spans(path, SPAN_BYTES):
        yield from sources.read(span)


def ranges_of(path: Path) -> dict[str, tuple[float, float]]:
    """The values that bytes stand for, by modality; of sources other than data files, YouTube-8M's rule."""
    if sources.kind_of(path) is Kind.DATA_FILE:
        return dict(_data_file(path).ranges)
    return dict.fromkeys(MODALITIES, YOUTUBE8M_RANGE)


def rates_of(path: Path, extraction: Mapping[str, Any] | None) -> dict[str, float]:
    """Frames a second of each modality in ``path``, where that is known.

    It is told by the record of an extraction beside it; YouTube-8M has one a second; what else a net takes that was
    trained on an extraction's features was made like these.

    Args:
        path: of the file.
        extraction: how the features that the net was trained on were made of raw videos; None if nobody knows.

    Raises:
        DataError: if the record beside it is damaged.
    """
    from experiments.data import EXTRACTION  # imports h5py

    record = path.parent / EXTRACTION
    if record.is_file():
        try:
            extraction = json.loads(record.read_text(encoding="utf-8"))
            return _rates(extraction)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{record}: not a record of an extraction ({one_line(error)}); extract again") from error
    if (kind := sources.kind_of(path)) in (Kind.TFRECORD, Kind.PICKLE):
        return dict.fromkeys(MODALITIES, 1.0)
    if kind is Kind.DATA_FILE and YOUTUBE8M_RANGE in (ranges := ranges_of(path)).values():
        return {name: 1.0 for name, limits in ranges.items() if limits == YOUTUBE8M_RANGE}
    return _rates(extraction) if extraction else {}


def _rates(extraction: Mapping[str, Any]) -> dict[str, float]:
    return {"rgb": float(extraction["frames_per_second"]), "audio": 1.0}  # datasets.log_mel: sound has one a second


def size_of(path: Path) -> int:
    """Bytes that `read` tells of ``path``, on the whole; an estimate for features in files of their own."""
    return path.stat().st_size if path.is_file() else 0


def _data_file(path: Path) -> Any:  # a datasets.hdf5.Shard
    try:
        from datasets import hdf5
    except ImportError as error:
        raise DataError(f"{path}: {error.name} is not installed here, which reads data files; install it") from error
    return hdf5.read(path)


def _of_data_file(path: Path) -> Iterator[Entry]:
    shard = _data_file(path)
    from datasets import hdf5_check

    hdf5_check.check(path, features=False)  # offsets that are damaged would give parts of videos as if whole
    size = path.stat().st_size // max(1, len(shard))
    for number, name in enumerate(shard.ids):
        features = {
            modality: np.asarray(frames[slice(*shard.offsets[modality][number : number + 2])])
            for modality, frames in shard.features.items()
        }
        labels = shard.labels[slice(*shard.label_offsets[number : number + 2])]
        yield Entry(number, f"video {number}", size, Record(name, labels, features))
