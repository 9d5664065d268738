import csv
from pathlib import Path

import numpy as np
import pytest

from datasets import convert, hdf5, synthetic
from datasets.errors import DataError
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
    assert len(shape.class_weights) == 3862
    assert shape.class_weights.sum() == 11_711_620
    assert shape.class_weights[[0, 30, 31, 3861]].tolist() == [788_288, 54_950, 55_201, 140]


def test_the_class_counts_are_those_of_the_vocabulary():
    vocabulary = Path(__file__).parents[3] / "shared" / "data" / "yt8m_vocabulary_slim.csv"
    if not vocabulary.is_file():
        pytest.skip("the vocabulary is not on this machine")
    with vocabulary.open() as file:
        counts = {int(row["Index"]): int(row["TrainVideoCount"]) for row in csv.DictReader(file)}
    assert synthetic.youtube8m().class_weights.tolist() == [counts[n] for n in range(3862)]


def test_the_class_counts_come_with_the_package():
    assert '"datasets": ["youtube8m_class_counts.txt"]' in (Path(__file__).parents[2] / "setup.py").read_text()


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


@pytest.mark.parametrize("option", [("--train", "0"), ("--train", "-5"), ("--validate", "0"), ("--seed", "-1")])
def test_numbers_that_make_no_sense(tmp_path, option, capsys):
    with pytest.raises(SystemExit):
        synthetic.main(["--out", str(tmp_path / "out"), "=".join(option)])
    assert f"{option[0]}: {option[1]}: not a number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_is_one_line(tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_shard", interrupted)
    monkeypatch.setattr(synthetic, "write_split", interrupted)
    assert synthetic.main(["--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == f"interrupted; remove {tmp_path / 'out'} before the next try\n"


def test_files_of_other_numbers_are_not_mixed(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "VIDEOS_PER_SHARD", 4)
    for name, videos, seed in (("a", 8, 0), ("b", 8, 1), ("c", 7, 0)):
        synthetic.write_split(tmp_path / name, SMALL, "train", videos, seed)
    last = "train-00001-of-00002.h5"
    for name in "bc":
        (tmp_path / "a" / last).write_bytes((tmp_path / name / last).read_bytes())
        with pytest.raises(DataError, match="not made together"):
            VideoDataset.open(tmp_path / "a", "train")
