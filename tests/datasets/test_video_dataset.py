import resource

import numpy as np
import pytest

from datasets import hdf5
from datasets.errors import DataError
from datasets.video_dataset import Kind, VideoDataset


def write(path, videos=2, **changes):
    """A data file of ``videos`` videos."""
    content = {
        "features": {"rgb": np.ones((videos, 3), np.uint8), "audio": np.ones((videos, 2), np.float32)},
        "labels": np.zeros(videos),
        "label_offsets": np.arange(videos + 1),
        "ids": [f"{path.name} {n}" for n in range(videos)],
        "num_classes": 5,
        "single_label": True,
        "ranges": {"rgb": (-2.0, 2.0)},
        **changes,
    }
    hdf5.write(path, hdf5.Shard(offsets=dict.fromkeys(content["features"], np.arange(videos + 1)), **content))


def write_split(folder, split="train", shards=3, **changes):
    for number in range(shards):
        write(folder / hdf5.shard_name(split, number, shards), **changes)


def test_the_kind_tells_what_a_network_depends_on(tmp_path):
    write_split(tmp_path)
    kind = VideoDataset.open(tmp_path, "train").kind
    modalities = (("rgb", 3, np.dtype("u1"), (-2.0, 2.0)), ("audio", 2, np.dtype("f4"), None))
    assert kind == Kind(modalities, num_classes=5, single_label=True)
    features = {"audio": np.ones((2, 2), np.float32), "rgb": np.ones((2, 3), np.uint8)}
    for change in (
        {"features": features},
        {"features": {"rgb": features["rgb"]}},
        {"features": {**features, "rgb": np.ones((2, 4), np.uint8)}},
        {"features": {"rgb": features["rgb"], "audio": np.ones((2, 2))}},
        {"ranges": {"rgb": (-2.0, 1.0)}},
        {"num_classes": 6},
        {"single_label": False},
    ):
        write_split(tmp_path, "validate", **change)
        assert VideoDataset.open(tmp_path, "validate").kind != kind


def test_a_missing_shard_is_named(tmp_path):
    write_split(tmp_path)
    (tmp_path / "train-00001-of-00003.h5").unlink()
    with pytest.raises(DataError, match=r"split train has no file train-00001-of-00003\.h5"):
        VideoDataset.open(tmp_path, "train")
    with pytest.raises(DataError, match=r"split test has no file test-00000-of-00001\.h5"):
        VideoDataset.open(tmp_path, "test")


def test_files_of_two_datasets_are_told_apart(tmp_path):
    write_split(tmp_path)
    write_split(tmp_path, shards=2)
    with pytest.raises(DataError, match=r"train-00000-of-00003\.h5: beside train-00000-of-00002\.h5"):
        VideoDataset.open(tmp_path, "train")


def test_files_that_were_not_made_together_are_no_split(tmp_path):
    write_split(tmp_path, conversion="one")
    assert len(VideoDataset.open(tmp_path, "train")) == 6
    write(tmp_path / "train-00001-of-00003.h5", conversion="two")
    with pytest.raises(DataError, match=r"train-00001-of-00003\.h5: not made together with train-00000-of-00003\.h5"):
        VideoDataset.open(tmp_path, "train")
    write(tmp_path / "train-00001-of-00003.h5", source="another, and no conversion is named")
    with pytest.raises(DataError, match="not made together"):
        VideoDataset.open(tmp_path, "train")


def test_what_no_file_of_a_split_should_be_is_passed_over(tmp_path):
    write_split(tmp_path)
    (tmp_path / "train-00000-of-00001 (copy).h5").touch()
    assert len(VideoDataset.open(tmp_path, "train")) == 6


def test_files_of_another_kind_are_told_apart(tmp_path):
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5", num_classes=6)
    with pytest.raises(DataError, match=r"b\.h5: modalities or classes differ from those of .*a\.h5"):
        VideoDataset(sorted(tmp_path.glob("*.h5")))


def test_no_video_at_all_is_no_dataset(tmp_path):
    write_split(tmp_path, shards=2, videos=0)
    with pytest.raises(DataError, match=r"train-00000-of-00002\.h5: no video in it, nor in others of its split"):
        VideoDataset.open(tmp_path, "train")


def test_many_shards_need_no_more_files_than_may_be_open(tmp_path):
    write_split(tmp_path, shards=150)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        assert len(VideoDataset.open(tmp_path, "train")) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
