"""Scored videos for the benchmark of metrics, and what its sides do alike. NumPy alone."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from benchmarks.peers import measuring

CLASSES = 3862
MOST_LABELS = 8  # of a video; below the top 20, deeper than which nobody then needs to look
KEPT_VIDEOS = 4096  # that are shown again and again: their memory is the same for any number of videos


class Metrics(Protocol):
    """Hit@1, PERR, GAP and mAP over all videos that it is shown."""

    def update(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Takes in predictions and labels, (B, C) each."""

    def get(self) -> dict[str, float]:
        """The values by name."""


def batches(size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and labels, (B, C) float32 each; half of the true labels have a high score."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(max(1, KEPT_VIDEOS // size)):
        logits = random.standard_normal((size, CLASSES), np.float32) * np.float32(1.5) - np.float32(6)  # (B, C)
        labels = np.zeros((size, CLASSES), np.float32)  # (B, C)
        for video, count in enumerate(random.integers(1, MOST_LABELS, size, endpoint=True)):
            labels[video, random.integers(0, CLASSES, count)] = 1
        raised = (labels != 0) & (random.random((size, CLASSES), np.float32) < 0.5)  # (B, C)
        logits[raised] += 6
        found.append((1 / (1 + np.exp(-logits)), labels))
    return found


def serve(framework: str, make: Callable[[], Metrics]) -> None:
    """Answer requests, see `measuring.requests`: ``{"videos": N, "batch_size": B}`` are judged.

    The answer has the metrics, the videos a second until all are known, how many of these seconds the last step took,
    and the memory at most.
    """
    for request in measuring.requests():
        size, videos = request["batch_size"], request["videos"]
        kept = batches(size)
        first = make()  # some things are made at the first use
        first.update(*kept[0])
        first.get()
        measuring.forget_peak()  # making the videos has taken more
        metrics = make()
        begin = time.perf_counter()
        for number in range(-(-videos // size)):
            predictions, labels = kept[number % len(kept)]
            left = videos - number * size
            metrics.update(predictions[:left], labels[:left])
        updated = time.perf_counter()
        values = metrics.get()
        end = time.perf_counter()
        measuring.reply(
            framework=framework,
            metrics=values,
            videos_per_second=videos / (end - begin),
            get_seconds=end - updated,
            peak_bytes=measuring.peak(),
        )
