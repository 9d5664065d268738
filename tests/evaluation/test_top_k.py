import numpy as np
import pytest

from evaluation.top_k import top_k


def sorted_top_k(predictions, k):
    """The plain way: sort everything, stably."""
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(predictions, order, axis=1), order


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("num_classes", [1, 2, 20, 63, 64, 65, 80, 81, 500])
@pytest.mark.parametrize("levels", [2, 30, 10**9], ids=["binary", "coarse", "fine"])
def test_equals_a_full_stable_sort(dtype, num_classes, levels):
    rng = np.random.default_rng(num_classes)
    predictions = (rng.integers(-levels, levels, (40, num_classes)) / levels).astype(dtype)
    for k in (1, 20, 100):
        scores, classes = top_k(predictions, k)
        expected_scores, expected_classes = sorted_top_k(predictions, k)
        np.testing.assert_array_equal(scores, expected_scores)
        np.testing.assert_array_equal(classes, expected_classes)


def test_equal_scores_rank_by_class_index():
    scores, classes = top_k(np.full((3, 1000), 0.5, np.float32), 20)
    np.testing.assert_array_equal(classes, np.tile(np.arange(20), (3, 1)))
    np.testing.assert_array_equal(scores, np.full((3, 20), 0.5))


def test_a_crowded_video_among_others():
    predictions = np.random.default_rng(0).random((50, 2000), dtype=np.float32)
    predictions[7] = 0.0
    predictions[8, 100:] = 1.0
    np.testing.assert_array_equal(top_k(predictions, 20)[1], sorted_top_k(predictions, 20)[1])


def test_infinite_scores():
    predictions = np.full((2, 100), -np.inf)
    predictions[0, 50] = np.inf
    predictions[1, 3] = 0.0
    np.testing.assert_array_equal(top_k(predictions, 3)[1], [[50, 0, 1], [3, 0, 1]])


def test_takes_integers_and_any_memory_layout():
    predictions = np.random.default_rng(0).integers(0, 2**20, (200, 30))
    np.testing.assert_array_equal(top_k(predictions.T, 5)[1], sorted_top_k(predictions.T, 5)[1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("column", [0, 70, 199])
def test_refuses_nan(dtype, column):
    predictions = np.random.default_rng(0).random((5, 200)).astype(dtype)
    predictions[3, column] = -np.nan
    with pytest.raises(ValueError, match="NaN"):
        top_k(predictions, 20)
