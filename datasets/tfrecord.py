"""The TFRecord file: records of bytes, each with checksums of its length and of its content.

A record is its length (uint64), the CRC of these 8 bytes (uint32), the content, and the content's CRC (uint32), all
little-endian. The CRC is CRC-32C, masked as TensorFlow does (tensorflow/core/lib/hash/crc32c.h).
"""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from datasets import crc32c
from datasets.record import MAX_RECORD_BYTES

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")


def starts_record(head: bytes) -> bool:
    """Whether ``head`` begins with a length and its right CRC, as every TFRecord file does."""
    return len(head) >= HEADER.size and _length(head) is not None


def read(path: Path, start: int, stop: int, first: int = 0) -> Iterator[tuple[int, int, int, bytes | str]]:
    """Records of a file, one after the other, with both CRCs checked.

    A record whose content is damaged is passed over. Where a length is damaged nothing says where the next record
    begins: all the rest is reported as one bad record.

    Args:
        path: the file.
        start: byte at which a record begins.
        stop: byte after the last record.
        first: number of the record at ``start``.

    Yields:
        The record's number, its first byte, how many bytes it takes, and its content or the reason why it has none.
    """
    number, at = first, start
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(start)
        while at < stop:
            head = file.read(HEADER.size)
            if len(head) < HEADER.size:
                yield number, at, stop - at, f"truncated: {len(head)} bytes of a record's header"
                return
            length = _length(head)
            if length is None:
                reason = f"wrong CRC of the record's length; the {size - at:,} bytes from here on cannot be read"
                yield number, at, stop - at, reason
                return
            taken = HEADER.size + length + FOOTER.size
            if at + taken > size:
                yield (
                    number,
                    at,
                    stop - at,
                    f"truncated: a record of {taken:,} bytes, {size - at:,} are there",
                )
                return
            yield number, at, taken, _content(file, length)
            number, at = number + 1, at + taken


def cut(path: Path, limit: int) -> list[tuple[int, int, int]]:
    """Cut a file into stretches of whole records, each of at most ``limit`` bytes where its records allow it.

    Only the lengths are read, and nothing of a file that is not longer than ``limit``.

    Returns:
        For each stretch its first byte, the byte after its last, and the number of its first record.
    """
    size = path.stat().st_size
    starts = [(0, 0)]  # byte, record number
    if size > limit:
        number, at = 0, 0
        with path.open("rb") as file:
            while (length := _length(file.read(HEADER.size))) is not None:
                after = at + HEADER.size + length + FOOTER.size
                if after > size:
                    break
                if after - starts[-1][0] > limit and at > starts[-1][0]:
                    starts.append((at, number))
                number, at = number + 1, after
                file.seek(at)
    stops = [at for at, _ in starts[1:]] + [size]  # what cannot be read belongs to the last stretch
    return [(at, stop, number) for (at, number), stop in zip(starts, stops, strict=True)]


def write(path: Path, contents: Iterable[bytes]) -> None:
    """Write a file of records, aside first and then renamed."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("wb") as file:
            for content in contents:
                length = struct.pack("<Q", len(content))
                file.write(length + FOOTER.pack(_masked_crc(length)))
                file.write(content)
                file.write(FOOTER.pack(_masked_crc(content)))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _length(head: bytes) -> int | None:
    """The length that a record's header gives, None if its CRC is wrong or the header incomplete."""
    if len(head) < HEADER.size:
        return None
    length, crc = HEADER.unpack(head[: HEADER.size])
    return length if _masked_crc(head[:8]) == crc else None


def _content(file: BinaryIO, length: int) -> bytes | str:
    if length > MAX_RECORD_BYTES:
        file.seek(length + FOOTER.size, os.SEEK_CUR)
        return f"a record of {length:,} bytes, longer than the {MAX_RECORD_BYTES:,} that a video may have"
    content, footer = file.read(length), file.read(FOOTER.size)
    if len(content) + len(footer) < length + FOOTER.size:
        return "truncated while it was read"
    if _masked_crc(content) != FOOTER.unpack(footer)[0]:
        return "wrong CRC of the record's content"
    return content


def _masked_crc(data: bytes) -> int:
    crc = crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
