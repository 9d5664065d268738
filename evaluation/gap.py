"""Global average precision."""

import numpy as np

from evaluation.average_precision import RANK_BITS, coarse_rank, precision_sums
from evaluation.batch import Batch
from evaluation.column import Column, pieces
from evaluation.metric import Metric


class GAP(Metric):
    """Average precision of the ``top_k`` best predictions of all videos, pooled into one list.

    ``GAP = sum_i precision(i) * hit(i) / positives``, where ``i`` runs over the list by falling score, and
    ``positives`` counts all true labels of all videos, those outside the list too. Without any true label it
    is 0, as google/youtube-8m's eval_util has it.

    Of equal scores of a video the lowest class index is taken first. In the list, equal scores count with the
    expectation over all their orders (see `precision_sums`).
    """

    name = "gap"

    def __init__(self, top_k: int = 20) -> None:
        super().__init__(top_k)
        self._scores = Column()  # (videos, k)
        self._hits = Column()  # (videos, k)
        self._positives = 0

    def _accumulate(self, batch: Batch) -> None:
        self._scores.append(batch.scores)
        self._hits.append(batch.hits)
        self._positives += int(batch.num_positives.sum())

    def get(self) -> float:
        """The value over all videos so far; NaN where there is none."""
        if not self._scores:
            return float("nan")
        columns = [self._scores.array().ravel(), self._hits.array().ravel()]  # (entries,) each
        total, before = 0.0, (0, 0)
        for scores, hits in pieces(columns, lambda some: coarse_rank(some[0]), 1 << RANK_BITS):
            one_list = np.zeros(len(scores), np.uint8)  # (entries,)
            total += float(precision_sums(scores, hits, one_list, num_lists=1, before=before)[0])
            before = before[0] + len(hits), before[1] + int(np.count_nonzero(hits))
        return total / max(self._positives, 1)
