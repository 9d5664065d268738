"""Hit@1, PERR, GAP@20 and mAP, streaming and in NumPy alone, as google/youtube-8m's eval_util defines them.

Every value is over the whole set of videos, never a mean over batches, and depends neither on the sizes of
the batches nor on the order of the videos, to the last bit. Where scores are equal:

1. Within a video the class of lowest index ranks first, as with ``np.argmax``.
2. In a list pooled from many videos (GAP: all classes; mAP: one class) equal scores have no order: they count
   with the expectation over all their orders, in closed form. google's code shuffles the list with a fixed
   seed instead, so that its value moves about this expectation with its batch size.
"""

from evaluation.gap import GAP
from evaluation.hit_at_1 import HitAt1
from evaluation.mean_ap import MeanAP
from evaluation.metric import Metric
from evaluation.metric_set import MetricSet, evaluate
from evaluation.perr import PERR

__all__ = ["GAP", "PERR", "HitAt1", "MeanAP", "Metric", "MetricSet", "evaluate"]
