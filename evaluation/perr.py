"""Precision at equal recall rate."""

import numpy as np

from evaluation.batch import Batch
from evaluation.metric import Metric
from evaluation.top_k import top_k


class PERR(Metric):
    """The mean over videos of the precision within a video's best ``n``, ``n`` its number of true labels.

    ``PERR = mean_v(hits among the n_v best predictions of v that are > 0, divided by n_v)``

    Of equal scores the lowest class index ranks first. A video without labels counts as 0, as
    google/youtube-8m's eval_util has it. One with more labels than ``top_k`` is ranked as deep as it needs.
    """

    name = "perr"

    def __init__(self, top_k: int = 20) -> None:
        super().__init__(top_k)
        # By the number of labels a video has: whole numbers, which no order of videos rounds differently.
        self._hits = np.zeros(1)  # (classes + 1,) from the first update on
        self._videos = 0

    def _accumulate(self, batch: Batch) -> None:
        hits = _hits_in_best_n(batch.scores, batch.hits, batch.num_labels)  # (V,)
        deep = np.flatnonzero(batch.num_labels > batch.scores.shape[1])  # (D,)
        if deep.size:
            num_labels = batch.num_labels[deep]  # (D,)
            scores, classes = top_k(batch.predictions[deep], num_labels.max())  # (D, n) each
            is_hit = np.take_along_axis(batch.labels[deep], classes, axis=1) != 0  # (D, n)
            hits[deep] = _hits_in_best_n(scores, is_hit, num_labels)

        num_classes = len(batch.num_positives)
        self._hits = self._hits + np.bincount(batch.num_labels, weights=hits, minlength=num_classes + 1)
        self._videos += len(hits)

    def get(self) -> float:
        """The value over all videos so far; NaN where there is none."""
        if not self._videos:
            return float("nan")
        return float(np.sum(self._hits[1:] / np.arange(1, len(self._hits)))) / self._videos


def _hits_in_best_n(scores: np.ndarray, hits: np.ndarray, num_labels: np.ndarray) -> np.ndarray:
    """Counts the hits with a score above 0 among the first ``num_labels`` of each ranking, (videos,)."""
    is_counted = (np.arange(scores.shape[1]) < num_labels[:, None]) & (scores > 0)  # (V, k)
    return np.count_nonzero(hits & is_counted, axis=1)
