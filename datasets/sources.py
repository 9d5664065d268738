"""What can be converted: kinds of source told apart by content, cut into stretches, read as videos."""

import os
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from datasets import crc32c, own_data, paddle_pickle, sequence_example, tfrecord
from datasets.errors import DataError, one_line
from datasets.record import Entry, Record

SNIFFED_BYTES = 4096
DATA_FILE_START = b"\x89HDF\r\n\x1a\n"
# What lies beside sources in a folder, put there by datasets.youtube8m, datasets.convert, an extraction or by hand.
PASSED_OVER = (
    *("plan.json", "MD5SUMS", "vocabulary.csv", "bad_records_*.csv", "extraction.json", "notes_*.txt"),
    *("README*", "LICENSE*"),
)


class Kind(Enum):
    """What a source is, by its first bytes."""

    TFRECORD = "a TFRecord"
    PICKLE = "a pickle of Paddle's"
    OWN_DATA = "a CSV of own data"
    FEATURES = "features of own data"
    DATA_FILE = "a data file of ours"
    UNKNOWN = "unknown"


class Span(NamedTuple):
    """A stretch of one source.

    Attributes:
        path: the file; of own data, the CSV.
        kind: what it is.
        start: byte at which it begins; of own data, the row.
        stop: where it ends, likewise.
        first: number of its first record.
        size: bytes it takes, for own data unpacked.
        rows: its part of a CSV.
    """

    path: Path
    kind: Kind
    start: int
    stop: int
    first: int
    size: int
    rows: tuple[own_data.Row, ...] = ()


def files(sources: list[Path]) -> list[Path]:
    """The files to convert that ``sources`` name: a folder stands for its files in the order of their names.

    In a folder with features of own data (.npz, .npy), its only CSV stands for all of them. Data files and what is
    known to be no source are passed over there.

    Raises:
        DataError: if one is not there, or a folder holds nothing to convert.
    """
    found = []
    for source in sources:
        if source.is_dir():
            found += _files_in(source)
        elif source.is_file():
            found.append(source)
        else:
            raise DataError(f"{source}: no such file or folder")
    return found


def kind_of(path: Path) -> Kind:
    """What the file at ``path`` is."""
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if head.startswith(DATA_FILE_START):
        return Kind.DATA_FILE
    if tfrecord.starts_record(head):
        return Kind.TFRECORD
    if own_data.starts_features(head):
        return Kind.FEATURES
    if own_data.starts_csv(head):
        return Kind.OWN_DATA
    if paddle_pickle.starts_pickle(head):
        return Kind.PICKLE
    return Kind.UNKNOWN


def spans(path: Path, limit: int) -> list[Span]:
    """Stretches of one file, of at most ``limit`` bytes where its records allow it."""
    kind = kind_of(path)
    if kind is Kind.TFRECORD:
        return [Span(path, kind, at, stop, first, stop - at) for at, stop, first in tfrecord.cut(path, limit)]
    if kind is Kind.OWN_DATA:
        return _row_spans(path, limit)
    size = path.stat().st_size
    return [Span(path, kind, 0, size, 0, size)]


def packed(found: list[Span], limit: int) -> list[list[Span]]:
    """Neighbouring spans together, as many as ``limit`` bytes allow: each list is to be one data file."""
    groups: list[list[Span]] = []
    size = 0
    for span in found:
        if not groups or size + span.size > limit:
            groups.append([])
            size = 0
        groups[-1].append(span)
        size += span.size
    return groups


def read(span: Span) -> Iterator[Entry]:
    """Everything that stands in a span, good or bad."""
    if span.kind is Kind.TFRECORD:
        for number, at, size, content in tfrecord.read(span.path, span.start, span.stop, span.first):
            yield Entry(number, f"byte {at}", size, content if isinstance(content, str) else _parsed(content))
    elif span.kind is Kind.PICKLE:
        yield from paddle_pickle.read(span.path)
    elif span.kind is Kind.OWN_DATA:
        for number, row in enumerate(span.rows, span.first):
            yield own_data.read(span.path.parent, number, row)
    elif span.kind is Kind.FEATURES:
        yield Entry(0, "byte 0", span.size, "features without ids and labels; give the CSV that names them")
    elif span.kind is Kind.DATA_FILE:
        yield Entry(0, "byte 0", span.size, "a data file already, nothing to convert")
    else:
        yield Entry(0, "byte 0", span.size, "empty file" if not span.size else "not a TFRecord, nor a pickle or a CSV")


def description(group: list[Span]) -> str:
    """What a group of spans is made of, in a line that changes when the sources do.

    The checksum is over names, sizes, times of the last change, and the first and last bytes of every span: enough to
    know a source again, and cheap. That every byte is right is seen to when they are read.
    """
    crc = 0
    for span in group:
        crc = crc32c.extend(crc, f"{name_of(span.path)} {span.start} {span.stop} {span.size} {span.rows}".encode())
        if span.kind is not Kind.OWN_DATA:
            crc = crc32c.extend(crc, _ends(span.path, span.start, span.stop))
        for row in span.rows:
            path = own_data.features_file(span.path.parent, row.id)
            crc = crc32c.extend(crc, _ends(path, 0, path.stat().st_size) if path else b"")
    return f"{_extent(group)}, crc32c of names, sizes, times and ends {crc:08x}"


def name_of(path: Path) -> str:
    """The name of a file as text; bytes of it that are not UTF-8 come as escapes."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _extent(group: list[Span]) -> str:
    first, last = group[0], group[-1]
    unit = "row" if first.kind is Kind.OWN_DATA else "byte"
    if first.path == last.path:
        return f"{name_of(first.path)}, {unit}s {first.start} to {last.stop}"
    count = len({span.path for span in group})
    return f"{count} files, {name_of(first.path)} {unit} {first.start} to {name_of(last.path)} {unit} {last.stop}"


def _ends(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(min(SNIFFED_BYTES, stop - start))
        file.seek(max(start, stop - SNIFFED_BYTES))
        return head + file.read(SNIFFED_BYTES) + str(os.fstat(file.fileno()).st_mtime_ns).encode()


def _parsed(content: bytes) -> Record | str:
    try:
        return sequence_example.parse(content)
    except DataError as error:
        return str(error)
    except Exception as error:  # what else a damaged record may raise
        return f"not readable: {one_line(error)}"


def kinds_in(folder: Path) -> dict[Path, Kind]:
    """What each file in a folder is, by name, but for hidden files and those that are known to be no source."""
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path: kind_of(path) for path in inside if path.is_file() and not any(map(path.match, PASSED_OVER))}


def table_in(folder: Path, kinds: Mapping[Path, Kind]) -> Path:
    """The CSV that names the features of own data in a folder.

    Args:
        folder: where they are.
        kinds: what is in it.

    Raises:
        DataError: if there is none, or another.
    """
    tables = [path for path, kind in kinds.items() if kind is Kind.OWN_DATA]
    if len(tables) != 1:
        names = ", ".join(path.name for path in tables) or "none"
        raise DataError(f"{folder}: features need one CSV with the columns id and labels, here are: {names}; name it")
    return tables[0]


def _files_in(folder: Path) -> list[Path]:
    kinds = {path: kind for path, kind in kinds_in(folder).items() if kind is not Kind.DATA_FILE}
    if not kinds:
        folders = ", ".join(sorted(name_of(own) for own in folder.iterdir() if own.is_dir() and own.name[0] != "."))
        raise DataError(f"{folder}: no files in it to convert" + (f"; it has folders: {folders}" if folders else ""))
    return [table_in(folder, kinds)] if Kind.FEATURES in kinds.values() else list(kinds)


def _row_spans(path: Path, limit: int) -> list[Span]:
    spans, first, size = [], 0, 0
    rows = own_data.rows(path)
    for number, row in enumerate(rows):
        if number > first and size + row.size > limit:
            spans.append(Span(path, Kind.OWN_DATA, first, number, first, size, tuple(rows[first:number])))
            first, size = number, 0
        size += row.size
    spans.append(Span(path, Kind.OWN_DATA, first, len(rows), first, size, tuple(rows[first:])))
    return spans
