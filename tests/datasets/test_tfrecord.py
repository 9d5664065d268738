import struct
from itertools import pairwise

import pytest

from datasets import tfrecord

CONTENTS = [b"first", b"", b"x" * 1000, b"last"]


@pytest.fixture
def path(tmp_path):
    tfrecord.write(tmp_path / "a", CONTENTS)
    return tmp_path / "a"


def entries(path):
    return list(tfrecord.read(path, 0, path.stat().st_size))


def damaged(path, at, content=None):
    """The file with one bit turned at byte ``at``."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


def test_what_is_written_is_read(path):
    assert [content for *_, content in entries(path)] == CONTENTS
    assert [(number, at, size) for number, at, size, _ in entries(path)] == [
        (0, 0, 21),
        (1, 21, 16),
        (2, 37, 1016),
        (3, 1053, 20),
    ]
    assert [child.name for child in path.parent.iterdir()] == ["a"]


def test_the_checksum_is_tensorflows(tmp_path):
    """The CRC-32C of "123456789" is e3069283 (RFC 3720); masked by the rule of the format it is as below."""
    tfrecord.write(tmp_path / "a", [b"123456789"])
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert (tmp_path / "a").read_bytes()[-4:] == struct.pack("<I", masked)


def test_a_real_file_is_written_as_it_was(real_tfrecord, tmp_path):
    tfrecord.write(tmp_path / "a", [content for *_, content in entries(real_tfrecord)])
    assert (tmp_path / "a").read_bytes() == real_tfrecord.read_bytes()


def test_a_damaged_content_is_passed_over(path):
    found = entries(damaged(path, 37 + 500))
    assert [content for *_, content in found] == [b"first", b"", "wrong CRC of the record's content", b"last"]


def test_after_a_damaged_length_all_the_rest_is_one_bad_record(path):
    found = entries(damaged(path, 37 + 2))
    assert [content for *_, content in found[:2]] == [b"first", b""]
    assert found[2] == (2, 37, 1036, "wrong CRC of the record's length; the 1,036 bytes from here on cannot be read")
    assert len(found) == 3


@pytest.mark.parametrize(("size", "reason"), [(1060, "7 bytes of a record's header"), (1000, "1,016 bytes, 963 are")])
def test_a_file_cut_short(path, size, reason):
    path.write_bytes(path.read_bytes()[:size])
    found = entries(path)
    assert reason in found[-1][3]
    assert found[-1][3].startswith("truncated")
    assert sum(taken for _, _, taken, _ in found) == size


def test_a_record_too_long_is_not_read(path, monkeypatch):
    monkeypatch.setattr(tfrecord, "MAX_RECORD_BYTES", 999)
    found = entries(path)
    assert "longer than the 999" in found[2][3]
    assert found[3][3] == b"last"


def test_stretches_hold_whole_records_and_all_of_them(tmp_path):
    path = tmp_path / "a"
    tfrecord.write(path, [bytes(100 + n) for n in range(50)])
    for limit in (1, 300, 1000, 10**6):
        stretches = tfrecord.cut(path, limit)
        found = [entry for at, stop, first in stretches for entry in tfrecord.read(path, at, stop, first)]
        assert found == entries(path)
        assert all(stop - at <= limit or limit == 1 for at, stop, _ in stretches)
        for (at, _, _), (stop, _, first) in pairwise(stretches):
            assert stop + found[first][2] - at > limit  # the next record would have been too much
    assert len(tfrecord.cut(path, 1)) == 50
    assert len(tfrecord.cut(path, 10**6)) == 1


def test_what_cannot_be_read_belongs_to_the_last_stretch(path):
    damaged(path, 37 + 2)
    assert tfrecord.cut(path, 30) == [(0, 21, 0), (21, 1073, 1)]


def test_only_a_right_header_starts_a_record(path):
    head = path.read_bytes()
    assert tfrecord.starts_record(head)
    assert not tfrecord.starts_record(head[:11])
    assert not tfrecord.starts_record(b"\0" * 100)
    assert not tfrecord.starts_record(damaged(path, 8).read_bytes())
