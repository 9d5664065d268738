import numpy as np
import pytest

from evaluation import PERR


def perr(predictions, labels, top_k=20):
    metric = PERR(top_k)
    metric.update(np.array(predictions), np.array(labels))
    return metric.get()


def test_precision_within_as_many_as_there_are_labels():
    predictions = [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]
    assert perr(predictions, [[1, 0, 1], [0, 1, 0]]) == (1 / 2 + 0) / 2


def test_only_predictions_above_0_count():
    assert perr([[0.9, 0.0, -0.5]], [[1, 1, 1]]) == pytest.approx(1 / 3)


def test_of_equal_scores_the_lowest_class_ranks_first():
    assert perr([[0.5, 0.5, 0.5]], [[1, 0, 0]]) == 1.0
    assert perr([[0.5, 0.5, 0.5]], [[0, 0, 1]]) == 0.0


def test_a_video_without_labels_counts_as_0():
    assert perr([[0.9, 0.1], [0.9, 0.1]], [[0, 0], [1, 0]]) == 1 / 2


@pytest.mark.parametrize("top_k", [1, 2, 20, 1000])
def test_top_k_changes_nothing(top_k):
    rng = np.random.default_rng(0)
    labels = rng.random((100, 200)) < rng.choice([0.01, 0.5], (100, 1))
    predictions = rng.random(labels.shape) + 0.3 * labels
    in_order = np.take_along_axis(labels, np.argsort(-predictions, axis=1), axis=1)
    expected = [hits[: hits.sum()].mean() if hits.any() else 0.0 for hits in in_order]
    assert labels.sum(axis=1).max() > 90
    assert perr(predictions, labels, top_k) == pytest.approx(np.mean(expected), abs=1e-12)
