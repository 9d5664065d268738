import numpy as np
import pytest

from evaluation.batch import VIDEOS_PER_BATCH, ranked_batches


def test_ranks_and_counts():
    predictions = np.array([[0.1, 0.9, 0.5], [0.2, 0.1, 0.3]], np.float32)
    labels = np.array([[1, 0, 1], [0, 1, 0]])
    (batch,) = ranked_batches(predictions, labels, 2)
    np.testing.assert_array_equal(batch.classes, [[1, 2], [2, 0]])
    np.testing.assert_array_equal(batch.scores, np.array([[0.9, 0.5], [0.3, 0.2]], np.float32))
    np.testing.assert_array_equal(batch.hits, [[False, True], [False, False]])
    np.testing.assert_array_equal(batch.num_labels, [2, 1])
    np.testing.assert_array_equal(batch.num_positives, [1, 1, 1])


def test_splits_into_all_videos_in_order():
    predictions = np.random.default_rng(0).random((2 * VIDEOS_PER_BATCH + 3, 4))
    batches = list(ranked_batches(predictions, np.zeros_like(predictions), 1))
    assert [len(batch.scores) for batch in batches] == [VIDEOS_PER_BATCH, VIDEOS_PER_BATCH, 3]
    np.testing.assert_array_equal(np.concatenate([batch.predictions for batch in batches]), predictions)


@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 5)), ((3, 4), (2, 4)), ((4,), (4,)), ((2, 3, 4), (2, 3, 4)), ((3, 0), (3, 0))]
)
def test_refuses_shapes(shapes):
    with pytest.raises(ValueError, match=r"must both be \(videos, classes\)"):
        list(ranked_batches(np.zeros(shapes[0]), np.zeros(shapes[1]), 20))


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_refuses_labels_that_are_not_0_or_1(value):
    labels = np.zeros((300, 4))
    labels[299, 3] = value
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        list(ranked_batches(np.zeros((300, 4)), labels, 20))


def test_refuses_what_is_not_a_real_number():
    with pytest.raises(ValueError, match="predictions must be real numbers"):
        list(ranked_batches(np.array([["a"]]), np.array([[1]]), 20))
    with pytest.raises(ValueError, match="labels must be real numbers"):
        list(ranked_batches(np.array([[1.0]]), np.array([[None]]), 20))
