"""Features of your own: arrays in .npz or .npy files, and a CSV that names the videos and their labels.

docs/data_format.md describes the format. The CSV has the columns ``id`` and ``labels`` (class numbers, separated by
blanks); the features of video ``x`` are in ``x.npz``, one array (frames, width) a modality, or in ``x.npy``, beside
the CSV.
"""

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.errors import DataError
from datasets.record import FEATURE_TYPES, MAX_CLASSES, MAX_RECORD_BYTES, Entry, Record

COLUMNS = {"id", "labels"}
MAX_CLASSES_UNASKED = 1_000_000  # more are a slip of the keyboard, unless --num-classes says so
NPY_MODALITY = "frames"  # the name of the only modality that an .npy file has


class Row(NamedTuple):
    """One video of the CSV.

    Attributes:
        line: where it stands.
        id: as written there.
        labels: as written there.
        size: bytes of its features, unpacked; 0 if that cannot be told.
        flaw: why it cannot be used.
    """

    line: int
    id: str
    labels: str
    size: int
    flaw: str = ""


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
        DataError: if it is not a CSV in UTF-8 with the columns wanted.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            header = [name.strip() for name in next(reader, [])]
            found = [(reader.line_num, fields) for fields in reader if fields]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV in UTF-8 with the columns id and labels ({error})") from error
    for column in sorted(COLUMNS):
        if header.count(column) != 1:
            raise DataError(f"{path}: {header.count(column)} columns are named {column}, not one")
    return [_row(path.parent, header, line, fields) for line, fields in found]


def num_classes(path: Path, found: Iterable[Row], seen: set[str]) -> int:
    """One more than the highest label of the rows of ``path`` that can be used, as far as they tell.

    Args:
        path: the CSV.
        found: its rows.
        seen: ids of earlier rows; those of ``found`` are put in.

    Raises:
        DataError: if it is a million or more, which only the user can mean.
    """
    highest = -1
    for row in found:
        if row.flaw or not row.size or row.id in seen:
            continue
        seen.add(row.id)
        try:
            highest = max([highest, *_labels(row.labels).tolist()])
        except DataError:  # it is named when it is read
            continue
        if highest >= MAX_CLASSES_UNASKED:
            raise DataError(
                f"{path}: line {row.line}: label {highest}; give --num-classes if there are so many classes"
            )
    return highest + 1


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
        if row.flaw:
            raise DataError(row.flaw)
        if path is None:
            raise DataError(f"no file {row.id[:80]}.npz or {row.id[:80]}.npy beside the CSV")
        content = Record(row.id, _labels(row.labels), _features(path))
    except DataError as error:
        content = str(error)
    except Exception as error:  # a damaged file may raise anything
        content = f"not readable: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return Entry(number, where, row.size, content)


def _row(folder: Path, header: list[str], line: int, fields: list[str]) -> Row:
    if len(fields) != len(header):
        flaw = f"{len(fields)} fields, and the header has {len(header)}; labels are separated by blanks"
        return Row(line, "", "", 0, flaw)
    name, labels = fields[header.index("id")], fields[header.index("labels")]
    return Row(line, name, labels, _size(features_file(folder, name)))


def _size(path: Path | None) -> int:
    try:
        if path is None or path.suffix == ".npy":
            return path.stat().st_size if path else 0
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return 0


def _labels(text: str) -> np.ndarray:
    if not all(label.isascii() and label.isdecimal() for label in text.split()):
        raise DataError(f"labels {text[:40]!r} are not class numbers separated by blanks")
    for label in text.split():
        if len(label) > 10 or int(label) >= MAX_CLASSES:
            raise DataError(f"label {label[:40]} is not below {MAX_CLASSES}")
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
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in FEATURE_TYPES:
        raise DataError(f"{name} has values of type {array.dtype}, not {', '.join(map(str, FEATURE_TYPES))}")
    return array
