"""What can be converted: kinds of source told apart by content, cut into stretches, read as videos."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from datasets import own_data, paddle_pickle, sequence_example, tfrecord
from datasets.errors import DataError
from datasets.record import Entry, Record

SNIFFED_BYTES = 4096


class Kind(Enum):
    """What a source is, by its first bytes."""

    TFRECORD = "a TFRecord"
    PICKLE = "a pickle of Paddle's"
    OWN_DATA = "a CSV of own data"
    FEATURES = "features of own data"
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
    """The files that ``sources`` name: a folder stands for its files in the order of their names.

    In a folder with features of own data (.npz, .npy), its only CSV stands for all of them.

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
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
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
    else:
        yield Entry(0, "byte 0", span.size, "empty file" if not span.size else "not a TFRecord, nor a pickle or a CSV")


def description(group: list[Span]) -> str:
    """What a group of spans is made of, in a line that changes when the sources do.

    The checksum is over names, sizes, and the first and last bytes of every span: enough to know a source again, and
    cheap. That every byte is right is seen to when they are read.
    """
    crc = google_crc32c.Checksum()
    for span in group:
        crc.update(f"{span.path.name} {span.start} {span.stop} {span.size} {span.rows}".encode())
        if span.kind is not Kind.OWN_DATA:
            crc.update(_ends(span.path, span.start, span.stop))
        for row in span.rows:
            path = own_data.features_file(span.path.parent, row.id)
            crc.update(_ends(path, 0, path.stat().st_size) if path else b"")
    return f"{_extent(group)}, crc32c of names, sizes and ends {crc.hexdigest().decode()}"


def _extent(group: list[Span]) -> str:
    first, last = group[0], group[-1]
    unit = "row" if first.kind is Kind.OWN_DATA else "byte"
    if first.path == last.path:
        return f"{first.path.name}, {unit}s {first.start} to {last.stop}"
    count = len({span.path for span in group})
    return f"{count} files, {first.path.name} {unit} {first.start} to {last.path.name} {unit} {last.stop}"


def _ends(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(min(SNIFFED_BYTES, stop - start))
        file.seek(max(start, stop - SNIFFED_BYTES))
        return head + file.read(SNIFFED_BYTES)


def _parsed(content: bytes) -> Record | str:
    try:
        return sequence_example.parse(content)
    except DataError as error:
        return str(error)


def _files_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not found:
        raise DataError(f"{folder}: no files in it")
    kinds = {path: kind_of(path) for path in found}
    if Kind.FEATURES not in kinds.values():
        return found
    tables = [path for path, kind in kinds.items() if kind is Kind.OWN_DATA]
    if len(tables) != 1:
        names = ", ".join(path.name for path in tables) or "none"
        raise DataError(f"{folder}: features need one CSV with the columns id and labels, here are: {names}; name it")
    return tables


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
