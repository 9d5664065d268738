import numpy as np

from datasets import synthetic
from datasets.video_dataset import VideoDataset
from experiments import prepare


def test_training_frames_have_mean_0_and_deviation_1(tmp_path):
    """By the training split's statistics alone, and all else as it was."""
    shape = prepare.SHAPES["flash_mnist"]
    for split, videos in (("train", 300), ("test", 40)):
        synthetic.write_split(tmp_path / "flash_mnist", shape, split, videos, seed=0)
    prepare.prepare("flash_mnist_standardised", tmp_path)
    ours, other = (
        {split: VideoDataset.open(tmp_path / name, split) for split in ("train", "test")}
        for name in ("flash_mnist", "flash_mnist_standardised")
    )
    before, after = (np.concatenate(own["train"].frames["image"]).astype(np.float64) for own in (ours, other))
    np.testing.assert_allclose(after.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(after.std(axis=0), 1, atol=1e-5)
    test = np.concatenate(ours["test"].frames["image"])
    expected = (test - before.mean(axis=0)) / before.std(axis=0)
    np.testing.assert_allclose(np.concatenate(other["test"].frames["image"]), expected, atol=1e-5)
    everyone = np.arange(len(ours["test"]))
    np.testing.assert_array_equal(ours["test"].labels_of(everyone), other["test"].labels_of(everyone))
    assert ours["test"].ids_of(everyone) == other["test"].ids_of(everyone)
    assert str(other["test"].kind) == "image 50 float32, 1024 classes, one a video"
