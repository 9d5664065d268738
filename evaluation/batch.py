"""Predictions and labels, checked and ranked once, in the form in which every metric takes them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.top_k import top_k

VIDEOS_PER_BATCH = 256  # the temporaries of a batch then stay small, and mostly in the processor's cache


@dataclass(frozen=True)
class Batch:
    """A few videos, ranked.

    Attributes:
        predictions: scores, (videos, classes), any real dtype.
        labels: 0 or 1, (videos, classes), any real dtype.
        scores: the best scores of each video, best first, (videos, k), float.
        classes: the classes that have them, (videos, k), integer.
        hits: whether those are true labels, (videos, k), bool.
        num_labels: true labels of each video, (videos,), integer.
        num_positives: videos of each class, (classes,), integer.
    """

    predictions: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    hits: np.ndarray
    num_labels: np.ndarray
    num_positives: np.ndarray


def ranked_batches(predictions: np.ndarray, labels: np.ndarray, k: int) -> Iterator[Batch]:
    """Checks predictions and labels, and ranks the ``k`` best classes of each video.

    Args:
        predictions: scores, (videos, classes), any real dtype, no NaN.
        labels: 0 or 1, (videos, classes), any real dtype.
        k: how many classes a video; all of them where there are fewer.

    Yields:
        All videos in their order, at most ``VIDEOS_PER_BATCH`` at a time.

    Raises:
        ValueError: the arrays are not (videos, classes), differ in shape or are not of real numbers, a
            prediction is NaN, or a label is neither 0 nor 1.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.ndim != 2 or predictions.shape != labels.shape or predictions.shape[1] == 0:
        raise ValueError(f"predictions {predictions.shape} and labels {labels.shape} must both be (videos, classes)")
    for name, array in (("predictions", predictions), ("labels", labels)):
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} must be real numbers, got dtype {array.dtype}")

    for start in range(0, len(predictions), VIDEOS_PER_BATCH):
        videos = slice(start, start + VIDEOS_PER_BATCH)
        yield _rank(predictions[videos], labels[videos], k)


def _rank(predictions: np.ndarray, labels: np.ndarray, k: int) -> Batch:
    videos, num_classes = labels.shape
    is_label = labels != 0  # (V, C)
    label_video, label_class = np.divmod(np.flatnonzero(is_label), num_classes)  # (positives,) each
    values = labels[label_video, label_class]  # (positives,)
    if not (values == 1).all():
        raise ValueError(f"labels must be 0 or 1, got {values[values != 1][0]}")

    scores, classes = top_k(predictions, k)  # (V, k) each
    return Batch(
        predictions=predictions,
        labels=labels,
        scores=scores,
        classes=classes,
        hits=np.take_along_axis(is_label, classes, axis=1),
        num_labels=np.bincount(label_video, minlength=videos),
        num_positives=np.bincount(label_class, minlength=num_classes),
    )
