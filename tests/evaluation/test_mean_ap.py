import math

import numpy as np
import pytest

from evaluation import MeanAP


def mean_ap(predictions, labels, top_k=20):
    metric = MeanAP(top_k)
    metric.update(np.array(predictions), np.array(labels))
    return metric.get()


def test_ranks_the_videos_of_each_class():
    # Class 0: 0.9 hit, 0.7 miss, 0.1 hit. Class 1: 0.8 miss, 0.6 hit, 0.2 miss.
    predictions, labels = [[0.9, 0.2], [0.7, 0.8], [0.1, 0.6]], [[1, 0], [0, 0], [1, 1]]
    assert mean_ap(predictions, labels) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_positives_outside_the_best_k_count():
    # Class 0 is the best class of the first video only, class 1 of the second.
    assert mean_ap([[0.9, 0.2], [0.7, 0.8]], [[1, 0], [1, 1]], top_k=1) == pytest.approx((1 / 2 + 1) / 2)


def test_classes_without_positives_are_left_out():
    assert mean_ap([[0.9, 0.2, 0.3], [0.7, 0.8, 0.1]], [[1, 0, 0], [0, 1, 0]]) == 1.0


def test_without_any_label_is_nan():
    assert math.isnan(mean_ap([[0.9, 0.2]], [[0, 0]]))


def test_ties_of_a_class_count_with_their_expectation():
    assert mean_ap([[0.5], [0.5]], [[1], [0]]) == pytest.approx((1 + 1 / 2) / 2)
