"""Average precision of rankings that contain ties."""

import numpy as np

RANK_BITS = 22  # of a coarse rank: of float32, 2^13 between 0.5 and 1


def precision_sums(
    scores: np.ndarray,
    hits: np.ndarray,
    lists: np.ndarray,
    num_lists: int,
    before: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """Sums, for each of several ranked lists, the precision at each of its hits.

    Divided by a list's number of positives this is its average precision, without interpolation:
    ``AP = sum_i precision(i) * hit(i) / positives``.

    Entries of equal score have no order of their own. They count with the exact expectation over all their
    orders, each as likely: ``k`` entries of equal score, ``h`` of them hits, which follow ``i`` entries with
    ``c`` hits, are worth ::

        sum_{j=1..k}  h/k * (c + 1 + (j - 1) * (h - 1)/(k - 1)) / (i + j)

    as the ``j``-th of them is a hit with probability ``h/k``, and the ``j - 1`` before it then hold
    ``(j - 1)(h - 1)/(k - 1)`` hits on average. So the order in which the entries are given changes nothing.

    Args:
        scores: (entries,), float32 or float64, at least one entry, in any order.
        hits: whether an entry is a true label, (entries,), bool.
        lists: the list an entry belongs to, (entries,), unsigned integers below ``num_lists``.
        num_lists: the number of lists.
        before: entries that come first in every list, and hits among them, which have been summed already.

    Returns:
        (num_lists,), float64; 0 for a list without hits.
    """
    # NumPy sorts 16 bits by radix, 3 to 4 times faster than it sorts floats.
    order = np.lexsort((*_falling_digits(scores), lists))  # (entries,), by list, then best score first
    scores, hits = scores[order], hits[order]
    list_sizes = np.bincount(lists, minlength=num_lists)  # (lists,)
    list_starts = np.cumsum(list_sizes) - list_sizes  # (lists,)

    # A tie is a run of one score in one list; most have one entry.
    is_start = np.ones(len(scores) + 1, bool)  # (entries + 1,), the last one ends the last tie
    is_start[1:-1] = scores[1:] != scores[:-1]
    is_start[list_starts] = True
    starts = np.flatnonzero(is_start)  # (ties + 1,)

    # The terms of the sum, for the ties that have hits: (T,) each.
    tie_of_hit = np.searchsorted(starts, np.flatnonzero(hits), side="right") - 1  # (hits,)
    tie, h = np.unique(tie_of_hit, return_counts=True)
    k = starts[tie + 1] - starts[tie]
    tie_list = np.searchsorted(list_starts, starts[tie], side="right") - 1
    i = starts[tie] - list_starts[tie_list] + before[0]
    list_hits = np.bincount(tie_list, weights=h, minlength=num_lists)  # (lists,)
    c = (np.cumsum(h) - h) - (np.cumsum(list_hits) - list_hits)[tie_list] + before[1]

    first = np.cumsum(k) - k  # where each of these ties starts among their entries alone
    rank = np.arange(1, k.sum() + 1) + np.repeat(i - first, k)  # (entries of these ties,), i + j
    reciprocals = np.add.reduceat(1.0 / rank, first)  # sum_j 1 / (i + j)
    # With g = (h - 1)/(k - 1), a numerator is c + 1 + (j - 1) g = g (i + j) + c + 1 - g (i + 1).
    g = (h - 1) / np.maximum(k - 1, 1)
    sums = h / k * (g * k + (c + 1 - g * (i + 1)) * reciprocals)
    return np.bincount(tie_list, weights=sums, minlength=num_lists)  # (lists,)


def coarse_rank(scores: np.ndarray) -> np.ndarray:
    """Whole numbers below 2^`RANK_BITS` that never rise with the score, (entries,): few scores share one."""
    return (_falling_keys(scores) >> (8 * scores.itemsize - RANK_BITS)).astype(np.uint32)


def _falling_digits(scores: np.ndarray) -> np.ndarray:
    """Keys that rise as the scores fall, in digits of 16 bits, (digits, entries), the last weighing most.

    Assumes a little-endian machine.
    """
    return _falling_keys(scores).view(np.uint16).reshape(len(scores), -1).T


def _falling_keys(scores: np.ndarray) -> np.ndarray:
    """Unsigned keys that rise as the scores fall, (entries,).

    The bits of a float, read as an unsigned integer, rise with it where it is positive and fall where it is
    negative; flipped where it is positive, they fall throughout.
    """
    bits = (scores + 0).view(f"i{scores.itemsize}")  # (entries,), -0.0 as the 0.0 that it equals
    return np.where(bits < 0, bits, bits ^ np.iinfo(bits.dtype).max).view(f"u{scores.itemsize}")  # (entries,)
