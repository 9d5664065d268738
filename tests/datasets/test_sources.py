import os
import pickle

import h5py
import numpy as np
import pytest

from datasets import sequence_example, sources
from datasets.errors import DataError
from datasets.record import Record
from datasets.sources import Kind


@pytest.fixture
def folder(tmp_path, video, write_tfrecord):
    """One source of every kind, under names that say nothing."""
    write_tfrecord(tmp_path / "a", [video("a"), video("b")])
    frames = np.zeros((2, 16), np.uint8)
    (tmp_path / "b").write_bytes(pickle.dumps({"video": "c", "feature": frames, "audio": frames, "nframes": 2}, 2))
    (tmp_path / "c").write_text("id,labels\nd,1\n")
    np.savez(tmp_path / "d.npz", rgb=frames)
    (tmp_path / "e").write_text("what is this")
    (tmp_path / "f").touch()
    (tmp_path / ".hidden").touch()
    return tmp_path


def test_kinds_are_told_apart_by_content(folder):
    kinds = [sources.kind_of(folder / name) for name in ("a", "b", "c", "d.npz", "e", "f")]
    assert kinds == [Kind.TFRECORD, Kind.PICKLE, Kind.OWN_DATA, Kind.FEATURES, Kind.UNKNOWN, Kind.UNKNOWN]


def test_every_kind_is_read(folder):
    found = {
        name: [entry.content for span in sources.spans(folder / name, 10**6) for entry in sources.read(span)]
        for name in ("a", "b", "c", "d.npz", "e", "f")
    }
    assert [record.id for name in "abc" for record in found[name]] == ["a", "b", "c", "d"]
    assert found["d.npz"] == ["features without ids and labels; give the CSV that names them"]
    assert found["e"] == ["not a TFRecord, nor a pickle or a CSV"]
    assert found["f"] == ["empty file"]


def test_a_folder_stands_for_its_files(folder):
    assert sources.files([folder]) == [folder / "c"]  # own data: the CSV names the rest
    (folder / "d.npz").unlink()
    assert [path.name for path in sources.files([folder / "e", folder])] == ["e", "a", "b", "c", "e", "f"]
    with pytest.raises(DataError, match="no such file"):
        sources.files([folder / "missing"])


def test_features_need_one_csv(folder):
    (folder / "g").write_text("id,labels\n")
    with pytest.raises(DataError, match="need one CSV with the columns id and labels, here are: c, g; name it"):
        sources.files([folder])
    (folder / "c").unlink()
    (folder / "g").unlink()
    with pytest.raises(DataError, match="here are: none"):
        sources.files([folder])
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="no files in it"):
        sources.files([folder / "empty"])


def test_rows_are_cut_by_the_size_of_their_features(tmp_path):
    for name in "abcde":
        np.save(tmp_path / f"{name}.npy", np.zeros((10, 100), np.uint8))  # with its header 1,128 bytes
    (tmp_path / "t.csv").write_text("id,labels\n" + "".join(f"{name},1\n" for name in "abcde"))
    spans = sources.spans(tmp_path / "t.csv", 2500)
    assert [(span.start, span.stop, span.first, span.size) for span in spans] == [
        (0, 2, 0, 2256),
        (2, 4, 2, 2256),
        (4, 5, 4, 1128),
    ]
    entries = [entry for span in spans for entry in sources.read(span)]
    assert [(entry.number, entry.content.id) for entry in entries] == list(enumerate("abcde"))
    assert sum(entry.size for entry in entries) == sum(span.size for span in spans)


def test_small_sources_share_a_data_file(tmp_path, video, write_tfrecord):
    paths = [write_tfrecord(tmp_path / f"{n}", [video(f"{n}")]) for n in range(5)]
    size = paths[0].stat().st_size
    spans = [span for path in paths for span in sources.spans(path, 2 * size)]
    groups = sources.packed(spans, 2 * size)
    assert [len(group) for group in groups] == [2, 2, 1]
    assert [span for group in groups for span in group] == spans


def test_a_description_changes_with_the_sources_and_not_with_their_folder(tmp_path, video, write_tfrecord):
    def described(folder, *names, changed=1):
        (tmp_path / folder).mkdir()
        path = write_tfrecord(tmp_path / folder / "a", [video(name) for name in names])
        os.utime(path, ns=(0, changed))
        return sources.description(sources.spans(path, 10**6))

    first = described("x", "a", "b")
    assert described("y", "a", "b") == first
    assert described("z", "a", "c") != first
    assert described("w", "a", "b", changed=2) != first
    assert str(tmp_path) not in first


def test_entries_add_up_to_the_span_even_where_it_is_damaged(folder):
    path = folder / "a"
    data = path.read_bytes()
    for size in range(12, len(data), 7):
        path.write_bytes(data[:size])
        [span] = sources.spans(path, 10**6)
        entries = list(sources.read(span))
        assert sum(entry.size for entry in entries) == size
        assert all(isinstance(entry.content, Record | str) for entry in entries)


def test_what_lies_beside_sources_is_passed_over_in_a_folder(folder):
    """The downloader's lists, reports and our own data files; each is named where it is given by itself."""
    for name in ("plan.json", "MD5SUMS", "vocabulary.csv", "bad_records_train.csv", "README.md"):
        (folder / name).write_text("what is this")
    with h5py.File(folder / "train-00000-of-00001.h5", "w"):
        pass
    (folder / "d.npz").unlink()
    assert [path.name for path in sources.files([folder])] == ["a", "b", "c", "e", "f"]
    [path] = sources.files([folder / "train-00000-of-00001.h5"])
    [entry] = sources.read(sources.spans(path, 10**6)[0])
    assert entry.content == "a data file already, nothing to convert"


def test_a_folder_of_folders_names_them(tmp_path):
    (tmp_path / "plan.json").touch()
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"no files in it to convert; it has folders: train$"):
        sources.files([tmp_path])


def test_a_name_that_is_not_utf8(tmp_path, video, write_tfrecord):
    path = write_tfrecord(tmp_path / "train\udcff", [video("a")])
    assert sources.description(sources.spans(path, 10**6)).startswith("train\\xff, bytes 0 to ")


def test_a_fault_in_a_record_is_a_bad_record(folder, monkeypatch):
    def fails(content):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(sequence_example, "parse", fails)
    entries = list(sources.read(sources.spans(folder / "a", 10**6)[0]))
    assert [entry.content for entry in entries] == ["not readable: two lines"] * 2
