"""Mean average precision."""

import numpy as np

from evaluation.average_precision import precision_sums
from evaluation.batch import Batch
from evaluation.column import Column, pieces
from evaluation.metric import Metric


class MeanAP(Metric):
    """The mean over classes of the average precision of the videos ranked by their score for that class.

    ``AP(c) = sum_i precision(i) * hit(i) / positives(c)``, without interpolation. The list of class ``c``
    holds only the videos that have it among their ``top_k`` best, but ``positives(c)`` counts all whose true
    label it is. Classes without positives are left out of the mean, which is NaN where that leaves none.

    Of equal scores of a video the lowest class index ranks first. In the list of a class, equal scores count
    with the expectation over all their orders (see `precision_sums`).
    """

    name = "mean_ap"

    def __init__(self, top_k: int = 20) -> None:
        super().__init__(top_k)
        self._scores = Column()  # (videos, k)
        self._hits = Column()  # (videos, k)
        self._classes = Column()  # (videos, k)
        self._positives = np.zeros(1, np.int64)  # (classes,) from the first update on

    def _accumulate(self, batch: Batch) -> None:
        num_classes = len(batch.num_positives)
        self._scores.append(batch.scores)
        self._hits.append(batch.hits)
        self._classes.append(batch.classes.astype(np.min_scalar_type(num_classes)))
        self._positives = self._positives + batch.num_positives  # (classes,)

    def get(self) -> float:
        """The value over all videos so far; NaN where there is none, or none with a label."""
        has_positives = self._positives > 0
        if not np.any(has_positives):
            return float("nan")
        num_classes = len(self._positives)
        columns = [own.array().ravel() for own in (self._scores, self._hits, self._classes)]  # (entries,) each
        sums = np.zeros(num_classes)  # (classes,), each of one piece
        for scores, hits, classes in pieces(columns, lambda some: some[2], num_classes):
            sums += precision_sums(scores, hits, classes, num_lists=num_classes)
        return float(np.mean(sums[has_positives] / self._positives[has_positives]))
