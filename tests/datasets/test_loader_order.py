"""The order in which videos of different lengths come, where batches take all of their frames."""

import numpy as np
import pytest

from datasets import hdf5
from datasets.loader import RUN, Loader
from datasets.video_dataset import VideoDataset

VIDEOS, BATCH = 403, 8


def dataset_of(folder, lengths):
    """Videos of two modalities, the second half as long."""
    shard = hdf5.Shard(
        features={
            "rgb": np.zeros((lengths.sum(), 2), np.uint8),
            "audio": np.zeros(((lengths // 2).sum(), 1), np.uint8),
        },
        offsets={"rgb": np.cumsum([0, *lengths]), "audio": np.cumsum([0, *(lengths // 2)])},
        labels=np.zeros(len(lengths), np.int32),
        label_offsets=np.arange(len(lengths) + 1),
        ids=[f"video {number}" for number in range(len(lengths))],
        num_classes=1,
        single_label=True,
    )
    hdf5.write(folder / "train-00000-of-00001.h5", shard)
    return VideoDataset.open(folder, "train")


@pytest.fixture
def lengths():
    """As in YouTube-8M, a tenth of it."""
    return np.random.default_rng(0).integers(12, 31, VIDEOS)


@pytest.fixture
def dataset(tmp_path, lengths):
    return dataset_of(tmp_path, lengths)


def padded(loader, epoch=0):
    """Frames of all batches, with their padding."""
    return sum(batch.features[0].shape[0] * batch.features[0].shape[1] for batch in loader.epoch(epoch))


def indices(loader, epoch=0):
    return [batch.indices.copy() for batch in loader.epoch(epoch)]


def test_the_lengths_of_videos(dataset, lengths):
    assert dataset.lengths().tolist() == lengths.tolist()


def test_few_frames_are_padding(tmp_path):
    """Of what random batches waste, at most a tenth."""
    lengths = np.random.default_rng(0).integers(12, 31, 4 * 64 * BATCH)
    dataset = dataset_of(tmp_path, lengths)
    wasted = [
        padded(Loader(dataset, BATCH, None, training=True, sorted_batches=number)) - lengths.sum() for number in (1, 64)
    ]
    assert wasted[1] < 0.1 * wasted[0]


def test_an_epoch_has_every_video_once_in_an_order_of_its_own(dataset):
    loader = Loader(dataset, BATCH, None, training=True, seed=3, sorted_batches=16)
    epochs = [indices(loader, epoch) for epoch in (0, 1, 0)]
    assert [len(batch) for batch in epochs[0]] == [BATCH] * (VIDEOS // BATCH) + [VIDEOS % BATCH]
    assert sorted(np.concatenate(epochs[0])) == list(range(VIDEOS))
    assert not np.array_equal(np.concatenate(epochs[0]), np.concatenate(epochs[1]))
    assert all(np.array_equal(first, again) for first, again in zip(epochs[0], epochs[2], strict=True))
    assert not {tuple(sorted(batch)) for batch in epochs[0]} & {tuple(sorted(batch)) for batch in epochs[1]}


def test_long_and_short_batches_come_in_a_random_order(dataset, lengths):
    longest = [lengths[batch].max() for batch in indices(Loader(dataset, BATCH, None, training=True))[:-1]]
    rising = np.mean(np.diff(longest) >= 0)
    assert 0.25 < rising < 0.75


def test_batches_in_a_row_are_padded_alike(dataset):
    for batches in (64, 10):  # 10 are two runs and a shorter one
        loader = Loader(dataset, BATCH, None, training=True, sorted_batches=batches)
        shapes = [(batch.features[0].shape[1], batch.lengths.max()) for batch in loader.epoch()][: VIDEOS // BATCH]
        for number, (frames, _) in enumerate(shapes):
            first = number // batches * batches + number % batches // RUN * RUN
            stop = min(first + RUN, number // batches * batches + batches)
            assert frames == max(longest for _, longest in shapes[first:stop])


def test_a_machine_pads_as_the_others_do(dataset):
    loaders = [Loader(dataset, BATCH, None, True, share=(machine, 3)) for machine in range(3)]
    for parts in list(zip(*(loader.epoch() for loader in loaders), strict=True))[:-1]:
        assert len({part.features[0].shape[1] for part in parts}) == 1


def test_the_last_batch_has_videos_of_any_length(dataset, lengths):
    """Were it what is left after sorting, the longest videos would come in it every time."""
    means = [lengths[indices(Loader(dataset, BATCH, None, True, seed))[-1]].mean() for seed in range(40)]
    assert abs(np.mean(means) - lengths.mean()) < 1.5


def test_an_epoch_goes_on_where_it_stopped(dataset):
    loader = Loader(dataset, BATCH, None, training=True, seed=1)
    rest = [batch.indices.copy() for batch in loader.epoch(2, first_batch=7)]
    assert all(np.array_equal(own, same) for own, same in zip(rest, indices(loader, 2)[7:], strict=True))


def test_videos_of_one_length_stay_in_their_random_order(tmp_path):
    dataset = dataset_of(tmp_path, np.full(50, 4))
    plain, same = (indices(Loader(dataset, BATCH, None, training=True, sorted_batches=n)) for n in (1, 64))
    assert np.array_equal(np.concatenate(plain), np.concatenate(same))


def test_evaluation_goes_from_short_to_long(dataset, lengths):
    order = np.concatenate(indices(Loader(dataset, BATCH, None, training=False)))
    assert sorted(order) == list(range(VIDEOS))
    assert (np.diff(lengths[order]) >= 0).all()
    assert np.array_equal(np.concatenate(indices(Loader(dataset, BATCH, 5, training=False))), np.arange(VIDEOS))
