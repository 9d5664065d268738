import numpy as np

from evaluation import HitAt1


def hit_at_1(predictions, labels):
    metric = HitAt1()
    metric.update(np.array(predictions), np.array(labels))
    return metric.get()


def test_counts_videos_whose_best_class_is_a_label():
    predictions = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.4], [0.6, 0.5]]
    assert hit_at_1(predictions, [[0, 1], [0, 1], [1, 1], [1, 0]]) == 3 / 4


def test_of_equal_scores_the_lowest_class_is_best():
    assert hit_at_1([[0.0, 0.7, 0.7], [0.7, 0.7, 0.7]], [[0, 1, 0], [0, 1, 1]]) == 1 / 2


def test_a_video_without_labels_is_a_miss():
    assert hit_at_1([[0.9, 0.1], [0.9, 0.1]], [[0, 0], [1, 0]]) == 1 / 2
