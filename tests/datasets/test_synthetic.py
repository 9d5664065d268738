import numpy as np
import pytest

from datasets import convert, hdf5, synthetic
from datasets.video_dataset import VideoDataset

SMALL = synthetic.Shape({"rgb": 32, "audio": 8}, 1.0 / np.arange(1, 41), 3.0, 5, 12)


@pytest.fixture(scope="module")
def shard():
    return next(synthetic.shards(SMALL, "train", 1000, seed=0))


def test_shape(shard):
    lengths = np.diff(shard.offsets["rgb"])
    counts = np.diff(shard.label_offsets)
    assert (lengths.min(), lengths.max()) == (5, 12)
    assert abs(counts.mean() - 3.0) < 0.15
    assert counts.min() == 1
    assert {name: frames.shape for name, frames in shard.features.items()} == {
        "rgb": (lengths.sum(), 32),
        "audio": (lengths.sum(), 8),
    }
    assert all(frames.dtype == np.uint8 for frames in shard.features.values())
    for v in range(100):
        own = shard.labels[shard.label_offsets[v] : shard.label_offsets[v + 1]]
        assert len(set(own)) == len(own)


def test_classes_are_as_frequent_as_they_should_be(shard):
    found = np.bincount(shard.labels, minlength=40)
    assert found[0] > 3 * found[10] > 3 * found[39]


def test_labels_can_be_learnt_from_frames(shard):
    """The nearest prototype of a frame is, on half of the frames, that of a label of its video."""
    prototypes = synthetic._prototypes(40, 32, 0).astype(np.float32)
    video = np.repeat(np.arange(1000), np.diff(shard.offsets["rgb"]))
    frames = shard.features["rgb"].astype(np.float32)
    nearest = ((frames**2).sum(1)[:, None] - 2 * frames @ prototypes.T + (prototypes**2).sum(1)).argmin(axis=1)
    hot = np.zeros((1000, 40 + synthetic.BACKGROUNDS), bool)
    hot[np.repeat(np.arange(1000), np.diff(shard.label_offsets)), shard.labels] = True
    told = nearest < 40
    assert 0.4 < told.mean() < 0.6
    assert hot[video, nearest][told].mean() > 0.99


def test_splits_and_seeds_differ_and_repeat():
    first, again = (next(synthetic.shards(SMALL, "train", 10, seed=1)) for _ in range(2))
    assert np.array_equal(first.features["rgb"], again.features["rgb"])
    for split, seed in (("train", 2), ("validate", 1)):
        other = next(synthetic.shards(SMALL, split, 10, seed))
        assert first.labels.tolist() != other.labels.tolist()


def test_a_split_is_written_in_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "VIDEOS_PER_SHARD", 4)
    synthetic.write_split(tmp_path, SMALL, "train", 10, seed=0)
    dataset = VideoDataset.open(tmp_path, "train")
    assert len(dataset) == 10
    assert len(dataset.shards) == 3
    assert dataset.ids_of(np.array([9])) == ["train-0000009"]
    assert dataset.ranges == dict.fromkeys(("rgb", "audio"), (-1.9921875, 2.0078125))


def test_the_shape_of_youtube8m():
    shape = synthetic.youtube8m()
    assert shape.feature_dims == {"rgb": 1024, "audio": 128}
    share = shape.class_weights / shape.class_weights.sum()
    assert len(share) == 3862
    # of the real training counts: the hundredth class 14,920 and the thousandth 1,147 of 11.7 million labels
    assert abs(np.log(share[100] / (14_920 / 11_711_620))) < 0.4
    assert abs(np.log(share[1000] / (1_147 / 11_711_620))) < 0.4


def test_one_label_a_video(tmp_path):
    shape = synthetic.Shape({"image": 5}, np.ones(9), None, 3, 3)
    synthetic.write_split(tmp_path, shape, "test", 20, seed=0)
    shard = hdf5.read(tmp_path / "test-00000-of-00001.h5")
    assert shard.single_label
    assert np.diff(shard.label_offsets).tolist() == [1] * 20


def test_tfrecords_hold_the_same_videos(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "VIDEOS_PER_SHARD", 6)
    synthetic.write_tfrecords(tmp_path / "source", SMALL, "train", 10, seed=0)
    synthetic.write_split(tmp_path / "direct", SMALL, "train", 10, seed=0)
    arguments = [str(tmp_path / "source"), "--out", str(tmp_path / "converted"), "--num-classes", "40"]
    assert convert.main(arguments) == 0
    direct, converted = (VideoDataset.open(tmp_path / name, "train") for name in ("direct", "converted"))
    everything = np.arange(10)
    assert direct.ids_of(everything) == converted.ids_of(everything)
    assert np.array_equal(direct.labels_of(everything), converted.labels_of(everything))
    for modality in SMALL.feature_dims:
        a, b = (
            np.concatenate([shard.features[modality] for shard in dataset.shards]) for dataset in (direct, converted)
        )
        assert np.array_equal(a, b)


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").touch()
    assert synthetic.main(["--out", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
