import numpy as np
import pytest

from evaluation import GAP


def gap(predictions, labels, top_k=20):
    metric = GAP(top_k)
    metric.update(np.array(predictions), np.array(labels))
    return metric.get()


def test_pools_all_videos():
    # By score: 0.9 hit, 0.8 miss, 0.7 hit, 0.2 miss.
    assert gap([[0.9, 0.2], [0.7, 0.8]], [[1, 0], [1, 0]]) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_positives_outside_the_best_k_count():
    assert gap([[0.9, 0.2], [0.7, 0.8]], [[1, 1], [1, 0]], top_k=1) == pytest.approx(1 / 3)


def test_ties_between_videos_count_with_their_expectation():
    # One hit among two equal scores: at rank 1 or at rank 2, each half of the time.
    assert gap([[0.5], [0.5]], [[1], [0]]) == pytest.approx((1 + 1 / 2) / 2)


def test_within_a_video_the_lowest_class_enters_first():
    assert gap([[0.5, 0.5]], [[1, 0]], top_k=1) == 1.0
    assert gap([[0.5, 0.5]], [[0, 1]], top_k=1) == 0.0


def test_without_any_label_is_0():
    assert gap([[0.9, 0.2]], [[0, 0]]) == 0.0
