"""Features of your own: arrays in .npz or .npy files, and a CSV that names the videos and their labels.

docs/data_format.md describes the format. The CSV has the columns ``id`` and ``labels`` (class numbers, separated by
blanks); the features of video ``x`` are in ``x.npz``, one array (frames, width) a modality, or in ``x.npy``, beside
the CSV.
"""

import csv
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.errors import DataError
from datasets.record import MAX_RECORD_BYTES, Entry, Record

COLUMNS = {"id", "labels"}
NPY_MODALITY = "frames"  # the name of the only modality that an .npy file has


class Row(NamedTuple):
    """One video of the CSV.

    Attributes:
        line: where it stands.
        id: as written there.
        labels: as written there.
        size: bytes of its features, unpacked; 0 if that cannot be told.
    """

    line: int
    id: str
    labels: str
    size: int


def starts_csv(head: bytes) -> bool:
    """Whether ``head`` begins with a CSV's header that has the columns wanted."""
    line = head.partition(b"\n")[0].decode("utf-8-sig", errors="replace")
    try:
        return COLUMNS.issubset(map(str.strip, next(csv.reader([line], skipinitialspace=True), [])))
    except csv.Error:
        return False


def starts_features(head: bytes) -> bool:
    """Whether ``head`` begins an .npz or .npy file."""
    return head.startswith((b"PK\3\4", b"\x93NUMPY"))


def rows(path: Path) -> list[Row]:
    """The videos that the CSV at ``path`` names.

    Raises:
        DataError: if it is not a CSV in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            found = [(reader.line_num, row["id"] or "", row["labels"] or "") for row in reader]
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DataError(f"{path}: not a CSV in UTF-8 with the columns id and labels ({error})") from error
    return [Row(line, name, labels, _size(features_file(path.parent, name))) for line, name, labels in found]


def num_classes(found: tuple[Row, ...]) -> int:
    """One more than the highest label."""
    numbers = [int(label) for row in found for label in row.labels.split() if label.isdecimal()]
    return max(numbers, default=-1) + 1


def features_file(folder: Path, name: str) -> Path | None:
    """The .npz or .npy file of the video ``name``, None if there is none."""
    if name and "\0" not in name and ".." not in Path(name).parts and not Path(name).is_absolute():
        for suffix in (".npz", ".npy"):
            path = folder / f"{name}{suffix}"
            if len(path.name) < 256 and path.is_file():
                return path
    return None


def read(folder: Path, number: int, row: Row) -> Entry:
    """The video of one row."""
    path = features_file(folder, row.id)
    where = f"line {row.line}" if path is None else f"line {row.line}, {path.name}"
    content: Record | str
    try:
        if path is None:
            raise DataError(f"no file {row.id[:80]}.npz or {row.id[:80]}.npy beside the CSV")
        content = Record(row.id, _labels(row.labels), _features(path))
    except DataError as error:
        content = str(error)
    except Exception as error:  # a damaged file may raise anything
        content = f"not readable: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return Entry(number, where, row.size, content)


def _size(path: Path | None) -> int:
    try:
        if path is None or path.suffix == ".npy":
            return path.stat().st_size if path else 0
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return 0


def _labels(text: str) -> np.ndarray:
    if not all(label.isdecimal() and len(label) < 10 for label in text.split()):
        raise DataError(f"labels {text[:40]!r} are not class numbers separated by blanks")
    return np.array(text.split(), np.int64)


def _features(path: Path) -> dict[str, np.ndarray]:
    if _size(path) > MAX_RECORD_BYTES:
        raise DataError(f"longer than the {MAX_RECORD_BYTES:,} bytes that a video may have")
    if path.suffix == ".npy":
        return {NPY_MODALITY: _array(NPY_MODALITY, path.read_bytes())}
    with zipfile.ZipFile(path) as archive:  # a member read to its end has its CRC checked
        names = {name.removesuffix(".npy"): name for name in archive.namelist()}
        return {modality: _array(modality, archive.read(name)) for modality, name in names.items()}


def _array(name: str, content: bytes) -> np.ndarray:
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.ndim != 2:
        raise DataError(f"{name} has shape {array.shape}, not (frames, width)")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise DataError(f"{name} has values of type {array.dtype}, neither uint8 nor float")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
