"""What a metric keeps of every video: columns that grow, and are ranked a piece at a time."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np

MEMORY_BYTES = 4 << 20  # of a column, beyond which it goes to a file; scores of 50,000 videos
PIECE_ENTRIES = 1 << 20  # that are ranked at once


class Column:
    """Arrays (rows, ...) one below the other, which take no more memory than so much however many they are.

    What is more lies in a temporary file; where there is no room for that, all stays in memory.
    """

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []  # the last rows, not in the file
        self._bytes = 0  # of these
        self._file: IO[bytes] | None = None
        self._rows = 0  # in the file
        self._dtype: np.dtype | None = None
        self._may_write = True

    def append(self, values: np.ndarray) -> None:
        """Put them below the others."""
        self._dtype = self._dtype or values.dtype
        self._may_write &= values.dtype == self._dtype  # of two kinds they only fit each other in memory
        self._parts.append(values)
        self._bytes += values.nbytes
        if self._bytes > MEMORY_BYTES and self._may_write:
            self._write()

    def array(self) -> np.ndarray:
        """All of them, at least one row; a map of the file where there is one."""
        if not self._rows:
            return np.concatenate(self._parts)
        if self._parts and self._may_write:
            self._write()
        assert self._file is not None
        mapped = np.memmap(self._file, self._dtype, "r", shape=(self._rows, *self._shape))
        return np.concatenate([mapped, *self._parts]) if self._parts else mapped

    def __bool__(self) -> bool:
        return bool(self._rows or any(map(len, self._parts)))

    def _write(self) -> None:
        rows = sum(map(len, self._parts))
        try:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed as this is
            self._file.seek(0, os.SEEK_END)
            for values in self._parts:
                left = np.ascontiguousarray(values).ravel().view(np.uint8).data
                while left:
                    left = left[self._file.write(left) :]
        except OSError:
            self._may_write = False  # what was written of these rows lies behind those that count
            return
        self._shape = self._parts[0].shape[1:]
        self._rows += rows
        self._parts, self._bytes = [], 0


def pieces(
    columns: Sequence[np.ndarray], key: Callable[[list[np.ndarray]], np.ndarray], num_keys: int
) -> Iterator[list[np.ndarray]]:
    """The rows of flat columns in pieces that can be ranked one after the other.

    Args:
        columns: (entries,) each.
        key: of some rows, whole numbers below ``num_keys``, (entries,).
        num_keys: how many there are.

    Yields:
        Columns of some rows, of every key all or none: first those of low keys. A piece has at most
        ``PIECE_ENTRIES`` rows, or one key. Where all rows are no more, they are one piece, as they are.
    """
    total = len(columns[0])
    if total <= PIECE_ENTRIES:
        yield list(columns)
        return
    chunks = [slice(start, start + PIECE_ENTRIES) for start in range(0, total, PIECE_ENTRIES)]
    counts = np.zeros(num_keys, np.int64)
    for rows in chunks:
        counts += np.bincount(key([own[rows] for own in columns]), minlength=num_keys)
    ends = np.cumsum(counts)
    low = done = 0
    while low < num_keys:
        high = max(low + 1, int(np.searchsorted(ends, done + PIECE_ENTRIES, side="right")))
        if ends[high - 1] > done:
            found = []
            for rows in chunks:
                some = [own[rows] for own in columns]
                keys = key(some)
                chosen = (keys >= low) & (keys < high)
                found.append([own[chosen] for own in some])
            yield [np.concatenate(own) for own in zip(*found, strict=True)]
        low, done = high, int(ends[high - 1])
