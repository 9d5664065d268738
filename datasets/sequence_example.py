"""YouTube-8M's records: tf.SequenceExample and tf.Example, read and written without TensorFlow.

Both are protocol buffers (tensorflow/core/example/example.proto, feature.proto)::

    SequenceExample { Features context = 1; FeatureLists feature_lists = 2; }      Example { Features features = 1; }
    Features { map<string, Feature> feature = 1; }      FeatureLists { map<string, FeatureList> feature_list = 1; }
    Feature { BytesList 1 | FloatList 2 | Int64List 3, each { repeated value = 1; } }
    FeatureList { repeated Feature feature = 1; }

so an Example is a SequenceExample without lists, and one reader does for both. The frames of a video are a
FeatureList of some 230 Features of equal size, which stand at a constant distance and are read as one array.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from datasets.errors import DataError
from datasets.record import Record

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3
RATED_SECONDS = 5  # length of a rated segment

Value = TypeVar("Value")


def parse(data: bytes) -> Record:
    """Read one record.

    Frame level: each feature list is a modality. Video level: each float feature ``mean_M`` is one frame of the
    modality M.

    Raises:
        DataError: with the reason why ``data`` is no video.
    """
    context: dict[str, Any] = {}
    lists: dict[str, np.ndarray] = {}
    for number, start, stop in _messages(data, 0, len(data)):
        if number == 1:
            context.update(_entries(data, start, stop, _feature))
        elif number == 2:
            lists.update(_entries(data, start, stop, _frames))
    means = {
        name.removeprefix("mean_"): value[None]  # (1, dim)
        for name, value in context.items()
        if name.startswith("mean_") and isinstance(value, np.ndarray) and value.dtype == np.float32
    }
    return Record(
        id=_id(context),
        labels=_column(context, "labels", np.int64),
        features=lists or means,
        segments=_segments(context),
    )


def serialize(record: Record) -> bytes:
    """Write one record of frame level; features must be uint8."""
    context = {"id": _field(BYTES_LIST, _field(1, record.id.encode()))}
    context["labels"] = _field(INT64_LIST, _field(1, b"".join(map(_varint, record.labels.tolist()))))
    for name, values in record.segments.items():
        if values.dtype == np.float32:
            context[f"segment_{name}"] = _field(FLOAT_LIST, _field(1, values.tobytes()))
        else:
            context[f"segment_{name}"] = _field(INT64_LIST, _field(1, b"".join(map(_varint, values.tolist()))))
    lists = {name: _frame_list(frames) for name, frames in record.features.items()}
    return _field(1, _map(context)) + _field(2, _map(lists))


def _id(context: dict[str, Any]) -> str:
    found = context.get("id", context.get("video_id"))
    if not isinstance(found, list) or len(found) != 1:
        raise DataError("not a YouTube-8M record: it has no id")
    try:
        return found[0].decode()
    except UnicodeDecodeError as error:
        raise DataError("the id is not UTF-8") from error


def _segments(context: dict[str, Any]) -> dict[str, np.ndarray]:
    if "segment_labels" not in context:
        return {}
    segments = {
        "labels": _column(context, "segment_labels", np.int64),
        "start_times": _column(context, "segment_start_times", np.int64),
        "end_times": _column(context, "segment_end_times", np.int64),
        "scores": _column(context, "segment_scores", np.float32),
    }
    if "segment_end_times" not in context:
        segments["end_times"] = segments["start_times"] + RATED_SECONDS
    lengths = {name: len(column) for name, column in segments.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"segments differ in number: {lengths}")
    return segments if len(segments["labels"]) else {}


def _column(context: dict[str, Any], name: str, dtype: type) -> np.ndarray:
    column = context.get(name, np.empty(0, dtype))
    if isinstance(column, list) and not column:  # a Feature without a value has no type
        return np.empty(0, dtype)
    if not isinstance(column, np.ndarray) or column.dtype != dtype:
        raise DataError(f"{name} are not of type {dtype.__name__}")
    return column


def _entries(
    data: bytes, start: int, stop: int, read: Callable[[bytes, int, int], Value]
) -> Iterator[tuple[str, Value]]:
    """Key and value of each entry of a map."""
    for number, entry, entry_stop in _messages(data, start, stop):
        if number != 1:
            continue
        key, value = b"", (stop, stop)
        for part, part_start, part_stop in _messages(data, entry, entry_stop):
            if part == 1:
                key = data[part_start:part_stop]
            elif part == 2:
                value = part_start, part_stop
        yield key.decode(errors="replace"), read(data, *value)


def _feature(data: bytes, start: int, stop: int) -> list[bytes] | np.ndarray:
    """A list of bytes, or an array of float32 or int64."""
    values: list[bytes] | np.ndarray = []
    for kind, kind_start, kind_stop in _messages(data, start, stop):
        fields = [field for field in _fields(data, kind_start, kind_stop) if field[0] == 1]
        if kind == BYTES_LIST:
            values = [data[a:b] for _, _, a, b in fields]
        elif kind == FLOAT_LIST:  # packed or not, the bytes are the same
            joined = b"".join([data[a:b] for _, _, a, b in fields])
            if len(joined) % 4:
                raise DataError("not a protocol buffer: floats of broken size")
            values = np.frombuffer(joined, "<f4")
        elif kind == INT64_LIST:
            numbers: list[int] = []
            for _, _, at, end in fields:
                while at < end:
                    value, at = _read_varint(data, at)
                    numbers.append(value - (1 << 64) if value >> 63 else value)
            values = np.array(numbers, np.int64)
    return values


def _frames(data: bytes, start: int, stop: int) -> np.ndarray:
    """The frames of a feature list: (frames, dim) uint8 or float32."""
    if start == stop:
        return np.empty((0, 0), np.uint8)
    kind, values, first_stop = _first_frame(data, start, stop)
    stride, header = first_stop - start, values - start
    if stride > header and (stop - start) % stride == 0:
        rows = np.frombuffer(data, np.uint8, stop - start, start).reshape(-1, stride)
        if (rows[:, :header] == rows[0, :header]).all():
            frames = rows[:, header:]  # (frames, dim)
            return frames if kind == BYTES_LIST else np.ascontiguousarray(frames).view("<f4")
    return _frames_one_by_one(data, start, stop)


def _first_frame(data: bytes, start: int, stop: int) -> tuple[int, int, int]:
    """Kind of the first frame of a list, where its values begin and where they end.

    The end is 0 unless the frame is as TensorFlow writes it: one value of bytes, or packed floats, and no more.
    """
    number, at, end = next(_messages(data, start, stop), (0, 0, 0))
    kind, at, kind_end = next(_messages(data, at, end), (0, 0, 0))
    inner, at, values_end = next(_messages(data, at, kind_end), (0, 0, 0))
    regular = number == inner == 1 and kind in (BYTES_LIST, FLOAT_LIST) and values_end == kind_end == end
    whole = kind == BYTES_LIST or (values_end - at) % 4 == 0
    return kind, at, values_end if regular and whole else 0


def _frames_one_by_one(data: bytes, start: int, stop: int) -> np.ndarray:
    frames: list[np.ndarray] = []
    for number, frame, frame_stop in _messages(data, start, stop):
        if number != 1:
            continue
        values = _feature(data, frame, frame_stop)
        if isinstance(values, list):
            if len(values) != 1:
                raise DataError(f"frame {len(frames)} has {len(values)} values")
            values = np.frombuffer(values[0], np.uint8)
        if values.dtype == np.int64:
            raise DataError(f"frame {len(frames)} has integers, neither bytes nor floats")
        first = frames[0] if frames else values
        if len(values) != len(first) or values.dtype != first.dtype:
            raise DataError(f"frame {len(frames)} has {len(values)} {values.dtype}, frame 0 {len(first)} {first.dtype}")
        frames.append(values)
    return np.stack(frames) if frames else np.empty((0, 0), np.uint8)


def _messages(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and byte after the last of each length-delimited field."""
    for number, kind, at, end in _fields(data, start, stop):
        if kind == LENGTH_DELIMITED:
            yield number, at, end


def _fields(data: bytes, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, first byte and byte after the last of each field of a message."""
    while at < stop:
        tag, at = _read_varint(data, at)
        kind, end = tag & 7, at
        if kind == LENGTH_DELIMITED:
            length, at = _read_varint(data, at)
            end = at + length
        elif kind == VARINT:
            _, end = _read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            end = at + (4 if kind == FIXED32 else 8)
        else:
            raise DataError(f"not a protocol buffer: wire type {kind}")
        if end > stop:
            raise DataError("not a protocol buffer: a field ends after its message")
        yield tag >> 3, kind, at, end
        at = end


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at`` and the place after it."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise DataError("not a protocol buffer: a number without end")


def _frame_list(frames: np.ndarray) -> bytes:
    """A FeatureList of uint8 (frames, dim)."""
    dim = frames.shape[1]
    feature = _field(BYTES_LIST, _tag(1) + _varint(dim) + bytes(dim))
    header = (_tag(1) + _varint(len(feature)) + feature)[:-dim]
    rows = np.empty((len(frames), len(header) + dim), np.uint8)
    rows[:, : len(header)] = np.frombuffer(header, np.uint8)
    rows[:, len(header) :] = frames
    return rows.tobytes()


def _map(entries: dict[str, bytes]) -> bytes:
    return b"".join(_field(1, _field(1, key.encode()) + _field(2, value)) for key, value in entries.items())


def _field(number: int, content: bytes) -> bytes:
    return _tag(number) + _varint(len(content)) + content


def _tag(number: int) -> bytes:
    return _varint(number << 3 | LENGTH_DELIMITED)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
