"""The best classes of each video, ranked once for all metrics."""

import numpy as np

MIN_BLOCKS = 64


def top_k(predictions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks the ``k`` best-scored classes of each video, best first.

    Equal scores of one video rank by class index, lowest first, as ``np.argmax`` does.

    Only the candidates are sorted: the classes are dealt into blocks, and as ``k`` blocks hold a score of at
    least the ``k``-th best block maximum, what lies below that is not among the ``k`` best.

    Args:
        predictions: scores, (videos, classes), any real dtype. Pass a few hundred videos at a time: the
            working memory is a multiple of their size where many scores are equal.
        k: how many classes a video, at least 1; all of them where there are fewer.

    Returns:
        Scores and class indices, both (videos, min(k, classes)). The scores are float32 where that holds
        every value of the given dtype, else float64.

    Raises:
        ValueError: a prediction is NaN.
    """
    dtype = np.float32 if np.can_cast(predictions.dtype, np.float32) else np.float64
    predictions = np.ascontiguousarray(predictions, dtype=dtype)  # (V, C)
    videos, num_classes = predictions.shape
    k = min(k, num_classes)

    # Sorted whole: NumPy sorts short rows of float32 faster than it partitions them.
    maxima = np.sort(_block_maxima(predictions, max(MIN_BLOCKS, 4 * k)), axis=1)  # (V, blocks)
    if np.isnan(maxima[:, -1]).any():  # a NaN is the maximum of its block, and sorted last
        raise ValueError("predictions hold NaN")
    bound = maxima[:, -k, None]  # (V, 1)
    is_candidate = predictions >= bound  # (V, C)
    flat = np.flatnonzero(is_candidate)  # (candidates,), by video, then by class
    counts = np.bincount(flat // num_classes, minlength=videos)  # (V,)
    if counts.max(initial=0) > 4 * k:  # many equal scores: of those at the bound, k are enough
        is_tie = predictions == bound  # (V, C)
        is_candidate &= ~is_tie | (np.cumsum(is_tie, axis=1, dtype=np.int32) <= k)
        flat = np.flatnonzero(is_candidate)
        counts = np.bincount(flat // num_classes, minlength=videos)  # (V,)

    is_filled = np.arange(counts.max(initial=0)) < counts[:, None]  # (V, widest)
    scores = np.full(is_filled.shape, -np.inf, dtype)  # (V, widest)
    scores[is_filled] = predictions.ravel()[flat]
    classes = np.zeros(is_filled.shape, np.intp)  # (V, widest)
    classes[is_filled] = flat % num_classes

    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # (V, k), stable keeps ties in class order
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(classes, order, axis=1)


def _block_maxima(predictions: np.ndarray, blocks: int) -> np.ndarray:
    """The best score of each block of classes; class ``c`` belongs to block ``c % blocks``."""
    maxima = predictions[:, :blocks].copy()  # (V, blocks)
    for start in range(blocks, predictions.shape[1], blocks):
        piece = predictions[:, start : start + blocks]  # (V, blocks), the last one narrower
        head = maxima[:, : piece.shape[1]]
        np.maximum(head, piece, out=head)
    return maxima
