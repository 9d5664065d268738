"""What loaders deliver, so that two of them can be held against each other and timed alike. NumPy alone."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Delivered(NamedTuple):
    """A batch.

    Attributes:
        features: one array a modality, (B, T, F).
        lengths: (B, modalities) numbers of real frames, or None if every frame is real.
        labels: (B, C) float32 of 0 and 1.
        videos: (B,) their numbers.
    """

    features: Sequence[np.ndarray]
    lengths: np.ndarray | None
    labels: np.ndarray
    videos: np.ndarray


def digest(batch: Delivered) -> str:
    """The same for equal batches alone."""
    lengths = batch.lengths
    if lengths is None:
        lengths = np.tile([frames.shape[1] for frames in batch.features], (len(batch.labels), 1))  # (B, modalities)
    found = hashlib.sha256()
    for array in (*batch.features, lengths.astype(np.int64), batch.labels, batch.videos.astype(np.int64)):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def speed(batches: Iterable[int], warm: int) -> float:
    """Videos a second, from when ``warm`` batches were delivered; then none lies ready that was made before.

    Args:
        batches: the number of videos of each, as it is delivered.
        warm: fewer than there are.
    """
    rest: Iterator[int] = iter(batches)
    for _ in range(warm):
        next(rest)
    begin = time.perf_counter()
    videos = sum(rest)
    return videos / (time.perf_counter() - begin)
