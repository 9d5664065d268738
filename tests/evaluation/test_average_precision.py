from itertools import permutations

import numpy as np
import pytest

from evaluation.average_precision import RANK_BITS, coarse_rank, precision_sums


def one_list(scores, hits):
    lists = np.zeros(len(scores), np.uint8)
    return precision_sums(np.asarray(scores, np.float32), np.asarray(hits, bool), lists, num_lists=1)[0]


def plain_sum(hits):
    """The definition, for a list that is in order."""
    return sum(sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i])


def test_without_ties():
    assert one_list([0.1, 0.9, 0.5, 0.7], [1, 1, 0, 1]) == pytest.approx(1 / 1 + 2 / 2 + 3 / 4)


@pytest.mark.parametrize("seed", range(20))
def test_ties_are_worth_the_mean_over_all_their_orders(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-1, 2, 7) / 2
    hits = rng.integers(0, 2, 7)
    over_orders = []
    for order in permutations(range(7)):
        order = sorted(order, key=lambda entry: -scores[entry])  # stable: ties stay in the order of the permutation
        over_orders.append(plain_sum(hits[order]))
    assert one_list(scores, hits) == pytest.approx(np.mean(over_orders), rel=1e-12)


def test_lists_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    scores, hits = rng.integers(0, 5, 300).astype(np.float32), rng.random(300) < 0.3
    lists = rng.integers(0, 40, 300).astype(np.uint16)
    lists[lists == 17] = 18  # an empty list
    expected = [one_list(scores[lists == i], hits[lists == i]) if (lists == i).any() else 0.0 for i in range(41)]
    np.testing.assert_allclose(precision_sums(scores, hits, lists, num_lists=41), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sorts_scores_of_any_sign_and_size(dtype):
    rising = np.array([-np.inf, -1e30, -2, -1.5, -1e-40, 0, 1e-40, 1e-9, 1, 1.5, 3e38, np.inf], dtype)
    hits = np.arange(len(rising)) % 3 == 0
    assert one_list(rising, hits) == pytest.approx(plain_sum(hits[::-1]))


def test_minus_zero_ties_with_zero():
    assert one_list([0.0, -0.0], [0, 1]) == one_list([-0.0, 0.0], [0, 1]) == pytest.approx((1 + 1 / 2) / 2)


def test_float64_is_not_rounded_to_float32():
    lists = np.zeros(2, np.uint8)
    assert precision_sums(np.array([1.0, 1.0 + 1e-12]), np.array([False, True]), lists, num_lists=1)[0] == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_coarse_rank_never_rises_with_the_score(dtype):
    scores = np.sort(np.concatenate([np.random.default_rng(0).normal(0, 5, 5000), [-np.inf, -0.0, 0.0, 1.0, np.inf]]))
    ranks = coarse_rank(scores.astype(dtype)).astype(np.int64)
    assert (np.diff(ranks) <= 0).all()
    assert 0 <= ranks.min() <= ranks.max() < 1 << RANK_BITS
    near_1 = np.linspace(0.99, 1, 1000, dtype=dtype)
    assert len(set(coarse_rank(near_1))) > (150 if dtype == np.float32 else 15)
