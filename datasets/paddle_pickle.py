"""Paddle's pickles of YouTube-8M, read without running what a pickle could run.

A record is a dict with ``video`` (its id), ``feature`` (rgb) and ``audio`` (uint8, frames x width), ``label`` (list of
class numbers) and ``nframes``; a file holds one, a list of them, or several such objects in turn. Python 2 wrote them,
so that keys and strings are bytes.
"""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datasets.errors import DataError
from datasets.record import Entry, Record

MAX_BYTES = 1 << 30  # a pickle is read whole, and takes some three times its size while it is
MODALITIES = {"feature": "rgb"}  # Paddle's name: ours; any other name is its own
OTHER_KEYS = {"video", "label", "nframes"}


def starts_pickle(head: bytes) -> bool:
    """Whether ``head`` begins as a pickle of a dict or list does, in any protocol."""
    return (head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")) or head[:2] in (
        b"(d",
        b"(l",
        b"}q",
        b"]q",
    )


def read(path: Path) -> Iterator[Entry]:
    """The videos of a file; what comes after damage cannot be found and is one bad record."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        yield Entry(0, "byte 0", size, f"a pickle of {size:,} bytes, and {MAX_BYTES:,} are the most; split it")
        return
    number = at = 0
    with path.open("rb") as file:
        while at < size:
            where = f"byte {at}"
            try:
                content = _ArrayUnpickler(file, encoding="bytes").load()
            except Exception as error:  # a damaged pickle may raise anything
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                yield Entry(number, where, size - at, f"not a readable pickle: {reason}")
                return
            taken, at = file.tell() - at, file.tell()
            items = content if isinstance(content, list) else [content]
            for item in items:
                yield Entry(number, where, taken // len(items), _video(item))
                number += 1


def _video(item: object) -> Record | str:
    """One record's video, or the reason why it has none."""
    try:
        if not isinstance(item, dict):
            raise DataError(f"a {type(item).__name__}, not a dict with video, feature, audio, label and nframes")
        fields = {_text(key): value for key, value in item.items()}
        missing = {"video", "feature", "nframes"} - fields.keys()
        if missing:
            raise DataError(f"{sorted(missing)[0]} missing")
        count = _integers(fields["nframes"], "nframes")
        if len(count) != 1 or count[0] < 0:
            raise DataError("nframes is not a number")
        return Record(
            id=_text(fields["video"]),
            labels=_integers(fields.get("label", []), "label"),
            features={
                MODALITIES.get(name, name): _frames(name, value, int(count[0]))
                for name, value in fields.items()
                if name not in OTHER_KEYS
            },
        )
    except DataError as error:
        return str(error)


def _frames(name: str, value: object, count: int) -> np.ndarray:
    """The first ``count`` frames, as Paddle's reader takes them: (count, dim). A modality may have none at all."""
    frames = value.array if isinstance(value, _Array) else None
    if frames is None or frames.ndim != 2 or frames.dtype != np.uint8:
        raise DataError(f"{name} is not an array of bytes, frames x width")
    if 0 < len(frames) < count:
        raise DataError(f"{name} has {len(frames)} frames, fewer than nframes {count}")
    return frames[:count]


def _integers(value: object, name: str) -> np.ndarray:
    """A number, list or array of numbers as (n,) int64."""
    if isinstance(value, _Array) and value.array is not None:
        value = value.array.reshape(-1).tolist()
    items = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, int | np.integer) and -(2**63) <= item < 2**63 for item in items):
        raise DataError(f"{name} is not made of integers")
    return np.array(items, np.int64)


def _text(value: object) -> str:
    if not isinstance(value, bytes | str):
        raise DataError(f"a {type(value).__name__} where a string is expected")
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise DataError(f"{value[:40]!r} is not UTF-8") from error


class _Dtype:
    """What a pickle says of numpy.dtype; numpy's own would take flags from it that can crash the interpreter."""

    def __init__(self, code: bytes | str, *_: object):
        self.dtype = np.dtype(_text(code))
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError("an array of other than numbers")

    def __setstate__(self, state: tuple) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """What a pickle says of numpy.ndarray."""

    array: np.ndarray | None = None

    def __init__(self, *_: object):
        """Arguments of numpy's _reconstruct; the state has all that counts."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.array = _values(data, dtype).reshape(shape, order="F" if fortran else "C")


def _from_buffer(data: bytes, dtype: _Dtype, shape: tuple, order: str) -> _Array:
    found = _Array()
    found.__setstate__((1, shape, dtype, order == "F", data))
    return found


def _values(data: bytes, dtype: _Dtype) -> np.ndarray:
    return np.frombuffer(data, dtype.dtype)


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    return _values(data, dtype)[0]


def _latin1(text: str, encoding: object) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How Python 3 writes b"" for Python 2: as a call of bytes without arguments."""
    return b""


_ADMITTED = {"_codecs.encode": _latin1, "__builtin__.bytes": _no_bytes, "numpy.dtype": _Dtype, "numpy.ndarray": _Array}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _ADMITTED[f"{_core}.multiarray._reconstruct"] = _Array
    _ADMITTED[f"{_core}.multiarray.scalar"] = _scalar
    _ADMITTED[f"{_core}.numeric._frombuffer"] = _from_buffer


# The unpickler in Python: the one in C allocates whatever a damaged memo index says. Its speed is in the arrays anyway.
class _ArrayUnpickler(pickle._Unpickler):
    """Admits NumPy arrays of numbers and builtin containers; every other name is refused before it is called."""

    def find_class(self, module: str, name: str) -> Any:
        if (found := _ADMITTED.get(f"{module}.{name}")) is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays and builtins are admitted")
        return found
