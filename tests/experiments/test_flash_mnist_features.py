import numpy as np
import pytest

from datasets import hdf5
from experiments import flash_mnist_features
from experiments.flash_mnist_features import _make_shard, _shard, _train_frame_network, build


@pytest.fixture(scope="module")
def folder(mnist_folder, tmp_path_factory):
    """A frame network trained on a fifth of the noisy digits, and 1/40 of the test videos behind it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(flash_mnist_features, "NOISY_COPIES", 1)
    patch.setattr(flash_mnist_features, "NOISE_FRAMES", 6000)
    patch.setattr(flash_mnist_features, "SHARDS", {"test": 40})
    folder = tmp_path_factory.mktemp("data") / "flash_mnist"
    told = _train_frame_network(mnist_folder, folder / "frame_cnn.params")
    assert told > 0.93  # 0.975 after the whole of its training
    for number in (0, 39):
        _make_shard(folder, mnist_folder, "test", number)
    yield folder
    patch.undo()


def test_a_shard_holds_log_softmax_features(folder):
    first, last = (hdf5.read(_shard(folder, "test", number)) for number in (0, 39))
    assert len(first) == 256
    assert first.single_label
    assert first.labels.tolist() == sorted(first.labels.tolist())
    assert (first.labels[0], last.labels[-1]) == (0, 1023)
    assert (first.ids[0], last.ids[-1]) == ("test-000000", "test-010239")
    assert first.features["image"].shape == (256 * 25, 50)
    assert np.allclose(np.exp(last.features["image"]).sum(axis=1), 1, atol=1e-4)


def test_videos_of_digits_differ_from_videos_of_noise(folder):
    noise = hdf5.read(_shard(folder, "test", 0)).features["image"].reshape(-1, 25, 50)[:10]  # class 0: no digit
    digits = hdf5.read(_shard(folder, "test", 39)).features["image"].reshape(-1, 25, 50)[-10:]  # all ten digits
    assert digits.std(axis=1).mean() > 1.3 * noise.std(axis=1).mean()


def test_a_shard_is_the_same_when_it_is_made_again(folder, mnist_folder):
    path = _shard(folder, "test", 39)
    before = path.read_bytes()
    path.unlink()
    _make_shard(folder, mnist_folder, "test", 39)
    assert path.read_bytes() == before


def test_what_is_there_is_kept(tmp_path, mnist_folder, monkeypatch):
    monkeypatch.setattr(flash_mnist_features, "SHARDS", {"test": 1})
    (tmp_path / "test-00000-of-00001.h5").write_bytes(b"made before")
    build(tmp_path, mnist_folder, may_fetch=False)
    assert [path.name for path in tmp_path.iterdir()] == ["test-00000-of-00001.h5"]
