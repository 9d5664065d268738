"""Videos to predict, from whatever holds their features. Imports h5py only for a data file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datasets import sources
from datasets.errors import DataError, one_line
from datasets.layout import MODALITIES, YOUTUBE8M_RANGE
from datasets.record import Entry, Record
from datasets.sources import Kind

SPAN_BYTES = 1 << 40  # of a source that is read in one go


def files(given: Path) -> list[Path]:
    """The files that ``given`` names: itself, those of a folder, or those that the lines of a ``.txt`` name.

    Raises:
        DataError: if one is not there, or there is none.
    """
    if given.suffix == ".txt" and given.is_file():
        lines = [line.strip() for line in given.read_text(errors="replace").splitlines()]
        named = [given.parent / line for line in lines if line and not line.startswith("#")]
        if not named:
            raise DataError(f"{given}: names no file; give one a line")
        if missing := [path for path in named if not path.exists()]:
            raise DataError(f"{given}: {missing[0]}: no such file or folder")
        return [file for path in named for file in files(path)]
    if given.is_dir() and (data_files := sorted(given.glob("*.h5"))):
        return data_files
    return sources.files([given])


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
    return path.stat().st_size


def _data_file(path: Path) -> Any:  # a datasets.hdf5.Shard
    try:
        from datasets import hdf5
    except ImportError as error:
        raise DataError(f"{path}: {error.name} is not installed here, which reads data files; install it") from error
    return hdf5.read(path)


def _of_data_file(path: Path) -> Iterator[Entry]:
    shard = _data_file(path)
    size = path.stat().st_size // max(1, len(shard))
    for number, name in enumerate(shard.ids):
        features = {
            modality: np.asarray(frames[slice(*shard.offsets[modality][number : number + 2])])
            for modality, frames in shard.features.items()
        }
        labels = shard.labels[slice(*shard.label_offsets[number : number + 2])]
        yield Entry(number, f"video {number}", size, Record(name, labels, features))
