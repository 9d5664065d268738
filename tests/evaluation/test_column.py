"""What metrics keep of every video, in memory and in files, and the pieces in which it is ranked."""

import itertools
import resource
import tempfile
import tracemalloc

import numpy as np
import pytest

from evaluation import MetricSet, column
from evaluation.average_precision import coarse_rank
from evaluation.column import Column, pieces


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(column, "MEMORY_BYTES", 20_000)
    monkeypatch.setattr(column, "PIECE_ENTRIES", 3_000)


def videos_of(count, num_classes=50, levels=10**6):
    rng = np.random.default_rng(count)
    labels = rng.random((count, num_classes)) < 0.05
    return (rng.integers(0, levels, labels.shape) / levels + 0.2 * labels).astype(np.float32), labels


def judged(predictions, labels):
    metrics = MetricSet()
    for start in range(0, len(labels), 100):
        metrics.update(predictions[start : start + 100], labels[start : start + 100])
    return metrics


@pytest.mark.usefixtures("small")
def test_rows_come_back_as_they_were_put_in():
    rng = np.random.default_rng(0)
    parts = [rng.random((rows, 3), np.float32) for rows in (1, 900, 0, 5000, 20)]
    own = Column()
    assert not own
    for part in parts:
        own.append(part)
    for _ in range(2):
        assert own
        np.testing.assert_array_equal(own.array(), np.concatenate(parts))
        assert isinstance(own.array(), np.memmap)
        parts.append(rng.random((4, 3), np.float32))
        own.append(parts[-1])


@pytest.mark.usefixtures("small")
def test_numbers_of_another_type_are_not_cut():
    own = Column()
    parts = [np.full((9000, 1), 0.5, np.float32), np.full((9000, 1), 0.1), np.full((9000, 1), 0.25, np.float32)]
    for part in parts:
        own.append(part)
    np.testing.assert_array_equal(own.array(), np.concatenate(parts))


@pytest.mark.usefixtures("small")
def test_without_room_for_a_file_all_stays_in_memory(monkeypatch, tmp_path):
    own = Column()
    own.append(np.arange(5000))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    own.append(np.arange(7000))
    other = Column()
    other.append(np.arange(9000))
    assert own.array().tolist() == [*range(5000), *range(7000)]
    assert other.array().tolist() == list(range(9000))


@pytest.mark.usefixtures("small")
def test_a_full_disk_loses_nothing():
    own = Column()
    own.append(np.arange(3000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))  # files may be no larger, as on a full disk
    try:
        for _ in range(3):
            own.append(np.arange(4000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert own.array().tolist() == [*range(3000), *range(4000), *range(4000), *range(4000)]


@pytest.mark.usefixtures("small")
def test_pieces_have_every_row_once_and_no_key_in_two():
    keys = np.random.default_rng(0).integers(0, 40, 20_000) ** 2
    keys[:5000] = 100  # one key that is more than a piece
    found = [(own, rows) for own, rows in pieces([keys, np.arange(20_000)], lambda some: some[0], 1600)]
    assert len(found) > 4
    assert all(np.diff([own.max() for own, _ in found]) > 0)
    assert all(one.max() < other.min() for (one, _), (other, _) in itertools.pairwise(found))
    assert all(len(own) <= 3000 or len(set(own)) == 1 for own, _ in found)
    assert sorted(np.concatenate([rows for _, rows in found])) == list(range(20_000))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [1, 7, 10**6])
def test_metrics_are_the_same_in_pieces(levels, dtype, monkeypatch, small):
    predictions, labels = videos_of(1500, levels=levels)
    predictions = predictions.astype(dtype)
    in_pieces = judged(predictions, labels).get()
    merged = MetricSet()
    for rows in (slice(900), slice(900, None)):
        merged.merge(judged(predictions[rows], labels[rows]).state())
    assert merged.get() == in_pieces
    monkeypatch.undo()
    whole = judged(predictions, labels).get()
    assert in_pieces == pytest.approx(whole, abs=1e-13)
    assert in_pieces["mean_ap"] == whole["mean_ap"]


def test_zeros_of_both_signs_are_one_tie():
    scores = np.array([0.0, -0.0, 0.5, -0.5, -0.0], np.float32)
    ranks = coarse_rank(scores)
    assert ranks[0] == ranks[1] == ranks[4]
    assert ranks[2] < ranks[0] < ranks[3]


@pytest.mark.usefixtures("small")
def test_memory_does_not_grow_with_the_videos():
    def peak(count):
        predictions, labels = videos_of(count)
        tracemalloc.start()
        judged(predictions, labels).get()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(200)
    assert peak(8000) < 1.25 * peak(2000)
