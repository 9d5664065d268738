"""Hit@1."""

from evaluation.batch import Batch
from evaluation.metric import Metric


class HitAt1(Metric):
    """The share of videos whose best-scored class is a true label.

    Of classes with equal scores the one of lowest index is the best. A video without labels is a miss.
    """

    name = "hit_at_1"

    def __init__(self, top_k: int = 20) -> None:
        super().__init__(top_k)
        self._hits = 0
        self._videos = 0

    def _accumulate(self, batch: Batch) -> None:
        self._hits += int(batch.hits[:, 0].sum())
        self._videos += len(batch.hits)

    def get(self) -> float:
        """The value over all videos so far; NaN where there is none."""
        return self._hits / self._videos if self._videos else float("nan")
