import resource
import signal

import numpy as np
import pytest

from datasets import hdf5
from datasets.errors import DataError


def shard(**changes):
    content = {
        "features": {
            "rgb": np.arange(12, dtype=np.uint8).reshape(4, 3),
            "audio": np.ones((2, 5), np.float32),
        },
        "offsets": {"rgb": np.array([0, 3, 4]), "audio": np.array([0, 2, 2])},
        "labels": np.array([3, 1, 2]),
        "label_offsets": np.array([0, 1, 3]),
        "ids": ["a", "ünïcode"],
        "num_classes": 4,
        "single_label": False,
        "ranges": {"rgb": (-2.0, 2.0)},
        "source": "a test",
    }
    return hdf5.Shard(**{**content, **changes})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a.h5"
    hdf5.write(path, shard())
    found = hdf5.read(path)
    for name, frames in shard().features.items():
        assert isinstance(found.features[name], np.memmap)
        assert np.array_equal(found.features[name], frames)
        assert found.features[name].dtype == frames.dtype
        assert np.array_equal(found.offsets[name], shard().offsets[name])
    assert found.labels.tolist() == [3, 1, 2]
    assert found.ids == ["a", "ünïcode"]
    assert (found.num_classes, found.single_label, found.ranges) == (4, False, {"rgb": (-2.0, 2.0)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_equal_content_gives_equal_bytes_and_checksums(tmp_path):
    for name in ("a.h5", "b.h5"):
        hdf5.write(tmp_path / name, shard())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    hdf5.write(tmp_path / "c.h5", shard(labels=np.array([3, 1, 1])))
    a, c = hdf5.checksums(tmp_path / "a.h5"), hdf5.checksums(tmp_path / "c.h5")
    assert {name for name in a if a[name] != c[name]} == {"labels"}


def test_a_modality_without_frames(tmp_path):
    empty = shard(features={"rgb": np.empty((0, 3), np.uint8)}, offsets={"rgb": np.zeros(3)})
    hdf5.write(tmp_path / "a.h5", empty)
    assert hdf5.read(tmp_path / "a.h5").features["rgb"].shape == (0, 3)


@pytest.mark.parametrize("content", [b"", b"not hdf5", None])
def test_another_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.h5"
    if content is None:
        hdf5.write(path, shard())
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.write_bytes(content)
    reason = "cut off; copy or make it again$" if content is None else "not a readable data file"
    with pytest.raises(DataError, match=rf"a\.h5: {reason}"):
        hdf5.read(path)


def test_what_does_not_fit_on_the_disk_is_one_line_and_leaves_nothing(tmp_path):
    """A limit of a file's size stands for a full disk, at every place where that may strike."""
    hdf5.write(tmp_path / "a.h5", shard())
    whole = (tmp_path / "a.h5").stat().st_size
    (tmp_path / "a.h5").unlink()
    before, limit = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for room in range(0, whole, 1024):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
            with pytest.raises(DataError, match=r"a\.h5: cannot be written \(.*make room there") as caught:
                hdf5.write(tmp_path / "a.h5", shard())
            assert "\n" not in str(caught.value)
            assert list(tmp_path.iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)


def test_what_is_not_read_again_as_it_was_written_is_no_file(tmp_path, monkeypatch):
    store = hdf5._store

    def damaging(file, name, values):
        dataset = store(file, name, values)
        if name == "labels":
            dataset[0] += 1
        return dataset

    monkeypatch.setattr(hdf5, "_store", damaging)
    with pytest.raises(DataError, match=r"a\.h5: cannot be written \(labels: checksum"):
        hdf5.write(tmp_path / "a.h5", shard())
    assert list(tmp_path.iterdir()) == []


def test_only_a_splits_own_files_are_found(tmp_path):
    names = ["train-00000-of-00002.h5", "train-00001-of-00002.h5"]
    others = [
        "train-00000-of-00001 (copy).h5",
        "train-x-00000-of-00001.h5",
        "xtrain-00000-of-00001.h5",
        "train-0-of-1.h5",
    ]
    for name in names + others:
        (tmp_path / name).touch()
    assert [path.name for path in hdf5.shard_files(tmp_path, "train")] == names
    assert [hdf5.shard_name("train", number, 2) for number in (0, 1)] == names


def test_a_name_that_is_not_utf8(tmp_path):
    hdf5.write(tmp_path / "a.h5", shard(source="train\udcff.tfrecord", skipped=["train\udcff: no frames"]))
    assert hdf5.read(tmp_path / "a.h5").source == "train\\udcff.tfrecord"
    assert hdf5.read(tmp_path / "a.h5").skipped == ["train\\udcff: no frames"]
