import numpy as np
import pytest

from datasets import tfrecord
from datasets.errors import DataError
from datasets.record import Record
from datasets.sequence_example import parse, serialize


def varint(value, pad=0):
    """A number, in ``pad`` more bytes than it needs, which protocol buffers allow."""
    digits = []
    while value > 127:
        digits.append(value & 127)
        value >>= 7
    digits += [value] + [0] * pad
    return bytes([digit | 128 for digit in digits[:-1]] + digits[-1:])


def field(number, content, pad=0):
    return varint(number << 3 | 2) + varint(len(content), pad) + content


def features(**entries):
    return b"".join(field(1, field(1, key.encode()) + field(2, value)) for key, value in entries.items())


def text(value):
    return field(1, field(1, value))


def integers(*values):
    return field(3, field(1, b"".join(varint(value % 2**64) for value in values)))


def floats(*values):
    return field(2, field(1, np.array(values, "<f4").tobytes()))


def test_a_video_comes_back(video):
    record = video("ünïcode", frames=230, rgb=1024, audio=128)
    found = parse(serialize(record))
    assert found.id == record.id
    assert found.labels.tolist() == [3, 1]
    assert list(found.features) == ["rgb", "audio"]
    for name, frames in record.features.items():
        assert np.array_equal(found.features[name], frames)
        assert found.features[name].dtype == np.uint8


def test_the_real_video(real_tfrecord):
    [(*_, content)] = tfrecord.read(real_tfrecord, 0, real_tfrecord.stat().st_size)
    record = parse(content)
    assert (record.id, record.labels.tolist()) == ("SjJ3", [11])
    assert {name: frames.shape for name, frames in record.features.items()} == {"rgb": (170, 1024), "audio": (170, 128)}
    assert serialize(record) == content


@pytest.mark.parametrize("dim", [1, 121, 122, 127, 128, 16383, 16384])
def test_every_width_of_frame(video, dim):
    record = video("a", frames=3, rgb=dim)
    assert np.array_equal(parse(serialize(record)).features["rgb"], record.features["rgb"])


def test_the_older_name_of_the_id_and_no_labels():
    assert parse(field(1, features(video_id=text(b"old")))).id == "old"
    assert parse(field(1, features(video_id=text(b"old")))).labels.shape == (0,)


def test_video_level_is_one_frame_of_floats():
    record = parse(
        field(1, features(id=text(b"a"), labels=integers(7), mean_rgb=floats(0.5, -1), mean_audio=floats(2)))
    )
    assert record.labels.tolist() == [7]
    assert {name: frames.tolist() for name, frames in record.features.items()} == {"rgb": [[0.5, -1]], "audio": [[2]]}
    assert record.features["rgb"].dtype == np.float32


def test_floats_and_integers_that_are_not_packed():
    unpacked = b"".join(varint(1 << 3 | 5) + np.float32(value).tobytes() for value in (1, 2))
    labels = field(3, varint(1 << 3) + varint(300) + varint(1 << 3) + varint(5))
    record = parse(field(1, features(id=text(b"a"), labels=labels, mean_rgb=field(2, unpacked))))
    assert record.features["rgb"].tolist() == [[1, 2]]
    assert record.labels.tolist() == [300, 5]


def test_negative_labels_stay_negative():
    assert parse(field(1, features(id=text(b"a"), labels=integers(-1, 2)))).labels.tolist() == [-1, 2]


def test_rated_segments_of_2019(video):
    plain = video("a")
    segments = {
        "labels": np.array([4, 4]),
        "start_times": np.array([40, 75]),
        "end_times": np.array([45, 80]),
        "scores": np.array([1, 0], np.float32),
    }
    found = parse(serialize(Record(plain.id, plain.labels, plain.features, segments))).segments
    assert {name: column.tolist() for name, column in found.items()} == {
        name: column.tolist() for name, column in segments.items()
    }
    context = {"segment_labels": integers(4), "segment_start_times": integers(40), "segment_scores": floats(1)}
    found = parse(field(1, features(id=text(b"a"), **context))).segments
    assert found["end_times"].tolist() == [45]  # a segment has five seconds
    with pytest.raises(DataError, match="segments differ in number"):
        parse(field(1, features(id=text(b"a"), **{**context, "segment_scores": floats(1, 0)})))
    assert parse(field(1, features(id=text(b"a"), segment_labels=b""))).segments == {}


def frame_list(*frames, pads=None):
    return b"".join(
        field(1, field(1, field(1, frame, pad))) for frame, pad in zip(frames, pads or [0] * len(frames), strict=True)
    )


def with_list(frames):
    return field(1, features(id=text(b"a"))) + field(2, features(rgb=frames))


def test_frames_at_irregular_distances_are_read_one_by_one():
    frames = [b"abcd", b"efgh", b"ijkl"]
    record = parse(with_list(frame_list(*frames, pads=[0, 2, 1])))
    assert record.features["rgb"].tobytes() == b"abcdefghijkl"
    assert record.features["rgb"].shape == (3, 4)
    unknown = field(9, b"a field of a later version")
    record = parse(with_list(frame_list(*frames[:2]) + unknown + frame_list(frames[2])))
    assert record.features["rgb"].tobytes() == b"abcdefghijkl"


def test_frames_of_floats():
    frames = [np.array([1, 2, n], "<f4").tobytes() for n in range(4)]
    record = parse(with_list(b"".join(field(1, field(2, field(1, frame))) for frame in frames)))
    assert record.features["rgb"].tolist() == [[1, 2, n] for n in range(4)]


def test_no_frame_at_all():
    assert len(parse(with_list(b"")).features["rgb"]) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_list(frame_list(b"abcd", b"efg")), "frame 1 has 3 uint8, frame 0 4 uint8"),
        (with_list(frame_list(b"abcd", b"efg", b"hijkl")), "frame 1 has 3 uint8"),  # twelve bytes, as if regular
        (with_list(field(1, field(1, field(1, b"ab") + field(1, b"cd")))), "frame 0 has 2 values"),
        (with_list(field(1, field(2, field(1, b"abc")))), "floats of broken size"),
        (field(1, features(labels=integers(1))), "it has no id"),
        (field(1, features(id=text(b"\xff"))), "not UTF-8"),
        (field(1, features(id=text(b"a"), labels=text(b"x"))), "labels are not of type int64"),
        (b"", "it has no id"),
        (b"\x0a\x05abc", "a field ends after its message"),
        (b"\x0a" + b"\xff" * 20, "a number without end"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_what_is_no_video_says_why(data, reason):
    with pytest.raises(DataError, match=reason):
        parse(data)


def test_damage_never_ends_in_another_error(video):
    whole = serialize(video("abcd", frames=3))
    rng = np.random.default_rng(0)
    for _ in range(3000):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            data[at] = rng.integers(256)
        try:
            record = parse(bytes(data[: rng.integers(1, len(data) + 1)]))
        except DataError:
            continue
        assert all(frames.ndim == 2 for frames in record.features.values())


def test_frames_are_views_of_the_record(video):
    """Nothing is copied before the data file's own array: the reason for the speed."""
    data = serialize(video("a", frames=100))
    frames = parse(data).features["rgb"]
    assert frames.base is not None
    assert frames.strides[0] > frames.shape[1]


def test_a_list_without_frames_of_its_own_kind(video):
    """A feature list that holds a number where a frame should be."""
    context = features(id=text(b"a"))
    record = parse(field(1, context) + field(2, features(rgb=b"\x08\x01")))
    assert record.features["rgb"].shape == (0, 0)


def test_frames_of_integers(video):
    record = field(1, features(id=text(b"a"))) + field(2, features(rgb=field(1, integers(1, 2)) * 3))
    with pytest.raises(DataError, match="frame 0 has integers, neither bytes nor floats"):
        parse(record)
