import io
import re
import zipfile

import numpy as np
import pytest

from datasets import own_data
from datasets.errors import DataError
from datasets.record import Record

FRAMES = np.arange(6, dtype=np.float32).reshape(2, 3)


def table(folder, *lines, header="id,labels"):
    path = folder / "train.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def contents(path):
    return [own_data.read(path.parent, n, row).content for n, row in enumerate(own_data.rows(path))]


def test_arrays_by_modality_and_a_plain_array(tmp_path):
    np.savez(tmp_path / "a.npz", rgb=FRAMES, flow=FRAMES.astype(np.uint8))
    np.savez_compressed(tmp_path / "b.npz", rgb=FRAMES.astype(">f4"))
    np.save(tmp_path / "c.npy", FRAMES)
    first, second, third = contents(table(tmp_path, "a,3 1", "b,", "c,7"))
    assert (first.id, first.labels.tolist(), list(first.features)) == ("a", [3, 1], ["rgb", "flow"])
    assert np.array_equal(first.features["rgb"], FRAMES)
    assert first.features["flow"].dtype == np.uint8
    assert second.labels.tolist() == []
    assert second.features["rgb"].dtype == np.float32
    assert np.array_equal(second.features["rgb"], FRAMES)
    assert list(third.features) == ["frames"]


def test_columns_in_any_order_with_others_between_and_a_byte_order_mark(tmp_path):
    np.save(tmp_path / "a,b.npy", FRAMES)
    path = tmp_path / "train.csv"
    path.write_text('﻿note, labels ,id\r\nx,5,"a,b"\r\n', encoding="utf-8")
    assert own_data.starts_csv(path.read_bytes())
    [record] = contents(path)
    assert (record.id, record.labels.tolist()) == ("a,b", [5])


def test_sizes_are_those_of_unpacked_features(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", rgb=np.zeros((1000, 10), np.uint8))
    [row, missing] = own_data.rows(table(tmp_path, "a,1", "b,2"))
    assert 10_000 < row.size < 10_300
    assert (missing.size, missing.line) == (0, 3)


def classes(path):
    return own_data.num_classes(path, own_data.rows(path), set())


def test_classes_are_as_many_as_the_labels_need(tmp_path):
    """Those of rows that can be used: c occurs twice, d has too many fields, e no features, g no such label."""
    for name in "abcdfg":
        np.save(tmp_path / f"{name}.npy", FRAMES)
    lines = ["a,1 12", "b,x 99", "c,", "c,98", "d,97,1", "e,96", "f,13", f"g,{'9' * 5000}"]
    assert classes(table(tmp_path, *lines)) == 14
    assert classes(table(tmp_path)) == 0


def test_a_million_classes_are_only_there_when_asked_for(tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    assert classes(table(tmp_path, "a,999998")) == 999_999
    with pytest.raises(DataError, match=r"train\.csv: line 2: label 1000000; give --num-classes if there are so many"):
        classes(table(tmp_path, "a,1000000"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id,labels,labels", "2 columns are named labels, not one"),
        ("id,id,labels", "2 columns are named id, not one"),
        ("name,labels", "0 columns are named id, not one"),
        ('"id,labels', "not a CSV in UTF-8"),
    ],
)
def test_a_header_that_is_none(tmp_path, header, reason):
    with pytest.raises(DataError, match=rf"train\.csv: {reason}"):
        own_data.rows(table(tmp_path, "a,1,2", header=header))


def test_a_row_of_another_number_of_fields_is_refused_with_its_line(tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    path = table(tmp_path, "a,1", "", "a,1,2", "a")
    entries = [own_data.read(tmp_path, n, row) for n, row in enumerate(own_data.rows(path))]
    assert [entry.where for entry in entries] == ["line 2, a.npy", "line 4", "line 5"]
    assert [entry.content for entry in entries[1:]] == [
        f"{count} fields, and the header has 2; labels are separated by blanks" for count in (3, 1)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("missing,1", r"no file missing.npz or missing.npy"),
        ("/etc/passwd,1", r"no file"),
        ("../a,1", r"no file"),
        (",1", r"no file"),
        ("good,1 x", r"labels '1 x' are not class numbers"),
        ("good,-1", r"not class numbers"),
        ("good,12345678901", r"label 12345678901 is not below 2147483647"),
        ("good,2147483647", r"label 2147483647 is not below 2147483647"),
        (f"good,{'9' * 5000}", r"label 9{40} is not below"),
        ("good,\u0661", r"not class numbers"),
        ("long,1", r"frames has values of type float128, not uint8, float16, float32, float64"),
        ("vector,1", r"frames has shape \(3,\), not \(frames, width\)"),
        ("whole,1", r"frames has values of type int64"),
        ("object,1", r"not readable: .*allow_pickle"),
        ("text,1", r"not readable"),
        ("zip,1", r"not readable"),
        ("broken,1", r"not readable: Bad CRC-32"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path, row, reason):
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(tmp_path / "a.npy", FRAMES)
    np.save(folder / "good.npy", FRAMES)
    np.save(folder / "vector.npy", FRAMES[0])
    np.save(folder / "whole.npy", FRAMES.astype(np.int64))
    np.save(folder / "long.npy", FRAMES.astype(np.longdouble))
    np.save(folder / "object.npy", np.array([[{}]]), allow_pickle=True)
    (folder / "text.npy").write_text("hello")
    (folder / "zip.npz").write_text("hello")
    buffer = io.BytesIO()
    np.savez(buffer, rgb=FRAMES)
    (folder / "broken.npz").write_bytes(buffer.getvalue().replace(FRAMES.tobytes(), bytes(FRAMES.nbytes)))
    [found] = contents(table(folder, row))
    assert isinstance(found, str)
    assert re.search(reason, found)


def test_a_video_too_long_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(own_data, "MAX_RECORD_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rgb.npy", bytes(10_000))
    [found] = contents(table(tmp_path, "a,1"))
    assert found == "longer than the 1,000 bytes that a video may have"


def test_a_table_that_is_none(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,labels\n\xff,1\n")
    with pytest.raises(DataError, match="not a CSV in UTF-8"):
        own_data.rows(path)
    assert not own_data.starts_csv(b"name,label\n")
    assert not own_data.starts_csv(b"\x80\x02}q\x00")


def test_damage_never_ends_in_an_error(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, rgb=FRAMES, flow=FRAMES)
    path, rng = table(tmp_path, "a,1"), np.random.default_rng(0)
    for _ in range(500):
        data = bytearray(buffer.getvalue())
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            data[at] = rng.integers(256)
        (tmp_path / "a.npz").write_bytes(data[: rng.integers(1, len(data) + 1)])
        [found] = contents(path)
        if isinstance(found, Record):  # the damage hit what does not count, such as a time
            assert all(np.array_equal(frames, FRAMES) for frames in found.features.values())
