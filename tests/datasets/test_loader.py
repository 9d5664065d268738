import threading
import time

import numpy as np
import pytest

from datasets import hdf5
from datasets.loader import Loader
from datasets.video_dataset import VideoDataset

CLASSES = 7


def write_videos(folder, split="train", shards=3, seed=0, lengths=(0, 9), modalities=("rgb", "audio")):
    """Videos whose every value tells modality, video and frame; video 0 of each shard has no sound."""
    rng = np.random.default_rng(seed)
    number = 0
    for part in range(shards):
        counts = {name: rng.integers(*lengths, size=5) for name in modalities}
        if "audio" in counts:
            counts["audio"][0] = 0
        features, offsets = {}, {}
        for m, name in enumerate(modalities):
            frames = [
                np.stack([np.full(count, 10 * m), np.full(count, number + v), np.arange(count)], axis=1)
                for v, count in enumerate(counts[name])
            ]
            features[name] = np.concatenate(frames).astype(np.uint8)
            offsets[name] = np.concatenate([[0], np.cumsum(counts[name])])
        shard = hdf5.Shard(
            features=features,
            offsets=offsets,
            labels=np.arange(5) % CLASSES,
            label_offsets=np.arange(6),
            ids=[f"video {number + v}" for v in range(5)],
            num_classes=CLASSES,
            single_label=True,
            ranges=dict.fromkeys(modalities, (-2.0, 2.0)),
        )
        hdf5.write(folder / f"{split}-{part:05d}-of-{shards:05d}.h5", shard)
        number += 5


@pytest.fixture
def dataset(tmp_path):
    write_videos(tmp_path)
    return VideoDataset.open(tmp_path, "train")


def test_every_video_comes_once_an_epoch_and_in_another_order(dataset):
    loader = Loader(dataset, 4, None, training=True, seed=1)
    orders = [np.concatenate([batch.indices for batch in loader.epoch(epoch)]) for epoch in (0, 1, 0)]
    assert sorted(orders[0]) == list(range(15))
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], orders[2])
    assert len(loader) == 4


def test_all_frames_are_there_and_padding_is_zero(dataset):
    for batch in Loader(dataset, 4, None, training=False).epoch():
        for m, frames in enumerate(batch.features):
            for row, index in enumerate(batch.indices):
                length = batch.lengths[row, m]
                assert frames[row, :length].tolist() == [[10 * m, index, t] for t in range(length)]
                assert not frames[row, length:].any()


def test_sampled_frames_follow_the_rule(tmp_path):
    write_videos(tmp_path, lengths=(3, 9), modalities=("rgb",))
    dataset = VideoDataset.open(tmp_path, "train")
    (batch,) = Loader(dataset, 15, 4, training=False).epoch()
    for row, index in enumerate(batch.indices):
        shard, video = (int(part[0]) for part in dataset.locate(np.array([index])))
        n = int(np.diff(dataset.shards[shard].offsets["rgb"])[video])
        assert batch.features[0][row, :, 2].tolist() == [min(n - 1, int((i + 0.5) * n / 4)) for i in range(4)]
    assert batch.lengths is None


def test_sampling_does_not_depend_on_the_batch_size(dataset):
    videos = {}
    for batch_size in (2, 5, 15):
        for batch in Loader(dataset, batch_size, 6, training=True, seed=3).epoch(2):
            for row, index in enumerate(batch.indices):
                own = [frames[row].copy() for frames in batch.features]
                assert all(np.array_equal(a, b) for a, b in zip(own, videos.setdefault(index, own), strict=True))


def test_jitter_stays_in_its_segment_and_moves_with_the_epoch(tmp_path):
    write_videos(tmp_path, lengths=(8, 9), modalities=("rgb",))
    loader = Loader(VideoDataset.open(tmp_path, "train"), 15, 2, training=True)
    seen = {tuple(frames[:, 2]) for epoch in range(20) for batch in loader.epoch(epoch) for frames in batch.features[0]}
    assert {first for first, _ in seen} == {0, 1, 2, 3}
    assert {second for _, second in seen} == {4, 5, 6, 7}


def test_an_epoch_can_start_in_its_middle(dataset):
    loader = Loader(dataset, 4, 3, training=True)
    whole = [(batch.indices, batch.features[0].copy()) for batch in loader.epoch(1)]
    rest = [(batch.indices, batch.features[0].copy()) for batch in loader.epoch(1, first_batch=2)]
    assert len(rest) == 2
    for (indices, frames), (same_indices, same_frames) in zip(whole[2:], rest, strict=True):
        assert np.array_equal(indices, same_indices)
        assert np.array_equal(frames, same_frames)


@pytest.mark.parametrize("seg_num", [3, None])
@pytest.mark.parametrize("training", [True, False])
def test_the_number_of_threads_changes_nothing(dataset, seg_num, training):
    one, three = (
        [_copied(batch) for batch in Loader(dataset, 2, seg_num, training, workers=workers).epoch(1)]
        for workers in (1, 3)
    )
    assert len(one) == len(three) == 8
    for batch, same in zip(one, three, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(batch, same, strict=True))


@pytest.mark.parametrize("machines", [2, 3, 5])
def test_machines_share_every_batch_evenly(dataset, machines):
    whole = [_copied(batch) for batch in Loader(dataset, 4, 3, training=True).epoch(1)]
    shares = [
        [_copied(batch) for batch in Loader(dataset, 4, 3, training=True, share=(machine, machines)).epoch(1)]
        for machine in range(machines)
    ]
    assert all(len(share) == len(whole) for share in shares)
    for batch, *parts in zip(whole, *shares, strict=True):
        indices, labels, total, *features = batch
        assert np.array_equal(np.concatenate([part[0] for part in parts]), indices)
        assert np.array_equal(np.concatenate([part[1] for part in parts]), labels)
        for m, frames in enumerate(features):
            assert np.array_equal(np.concatenate([part[3 + m] for part in parts]), frames)
        assert all(part[2] == total == len(indices) for part in parts)
        assert max(len(part[0]) for part in parts) - min(len(part[0]) for part in parts) <= 1


def test_all_batches_have_lengths_or_none(tmp_path):
    """So that a net is compiled once: also those without padding, where others have some."""
    for name, lengths, modalities, seg_num, some in (
        ("all as long", (5, 6), ("rgb",), None, False),
        ("some longer", (5, 7), ("rgb",), None, True),
        ("as many of each", (5, 7), ("rgb",), 3, False),
        ("some without sound", (5, 6), ("rgb", "audio"), 3, True),
    ):
        write_videos(tmp_path / name, lengths=lengths, modalities=modalities)
        dataset = VideoDataset.open(tmp_path / name, "train")
        given = [batch.lengths is not None for batch in Loader(dataset, 1, seg_num, training=False).epoch()]
        assert set(given) == {some}


def test_a_fault_in_a_thread_reaches_the_consumer(dataset):
    batches = Loader(dataset, 4, None, training=False).epoch()
    next(batches)
    dataset.frames["rgb"][2] = None
    with pytest.raises((AttributeError, TypeError)):
        list(batches)


def test_a_video_without_sound_has_length_0(dataset):
    (batch,) = Loader(dataset, 15, 6, training=False).epoch()
    assert batch.lengths[0, 1] == 0
    assert not batch.features[1][0].any()
    assert set(batch.lengths.reshape(-1)) <= {0, 6}


def test_labels_are_multi_hot(dataset):
    (batch,) = Loader(dataset, 15, 2, training=False).epoch()
    assert batch.labels.shape == (15, CLASSES)
    assert batch.labels.argmax(axis=1).tolist() == [0, 1, 2, 3, 4] * 3
    assert batch.labels.sum() == 15
    assert dataset.ids_of(batch.indices[:2]) == ["video 0", "video 1"]


def test_the_threads_end_with_their_consumer(dataset):
    batches = Loader(dataset, 1, None, training=False).epoch()
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_a_batch_stays_as_it_is_until_the_next_is_taken(dataset):
    for batch in Loader(dataset, 1, 3, training=True, workers=3).epoch():
        before = [frames.copy() for frames in batch.features]
        time.sleep(0.01)  # the threads make later batches meanwhile
        assert all(np.array_equal(a, b) for a, b in zip(before, batch.features, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"seg_num": 0},
        {"workers": 0},
        {"seed": -1},
        {"share": (2, 2)},
        {"share": (-1, 2)},
        {"share": (0, 0)},
    ],
)
def test_numbers_that_make_no_sense(dataset, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Loader(**{"dataset": dataset, "batch_size": 4, "seg_num": 3, "training": True, **change})


def test_batches_by_turns(dataset):
    loader = Loader(dataset, 4, None, training=False)
    whole = [_copied(batch) for batch in loader.epoch()]
    turns = [[_copied(batch) for batch in loader.epoch(first_batch=machine, every=3)] for machine in range(3)]
    assert [len(own) for own in turns] == [2, 1, 1]
    for number, batch in enumerate(whole):
        for part, same in zip(batch, turns[number % 3][number // 3], strict=True):
            assert np.array_equal(part, same)


def test_an_epoch_begins_at_0(dataset):
    for numbers in ((0, -1), (-1, 0), (0, 0, 0)):
        with pytest.raises(ValueError, match="below 0"):
            Loader(dataset, 4, 3, training=True).epoch(*numbers)


def _copied(batch):
    """A batch's parts, for later: indices, labels, total, and each modality's frames."""
    return batch.indices, batch.labels, batch.total, *(frames.copy() for frames in batch.features)
