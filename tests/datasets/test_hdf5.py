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
    with pytest.raises(DataError, match=r"a\.h5: not a readable data file"):
        hdf5.read(path)
