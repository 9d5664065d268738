"""All metrics of this package over the same videos."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path

import numpy as np

from evaluation.batch import ranked_batches
from evaluation.metric import Metric


class MetricSet:
    """Feeds every metric of this package; the videos are ranked once for all of them.

    Args:
        top_k: how many best classes a video GAP and mAP count, at least 1.

    Attributes:
        metrics: one of each, in the order of their files' names.

    Raises:
        ValueError: ``top_k`` is not a whole number of at least 1.
    """

    def __init__(self, *, top_k: int = 20) -> None:
        self._top_k = top_k
        self.metrics = [metric_class(top_k) for metric_class in metric_classes()]

    def update(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Takes in more videos, as `Metric.update` does."""
        for batch in list(ranked_batches(predictions, labels, self._top_k)):
            for metric in self.metrics:
                metric.add(batch)

    def state(self) -> dict[str, np.ndarray]:
        """All that was accumulated, for another's `merge`."""
        return {f"{metric.name}.{name}": own for metric in self.metrics for name, own in metric.state().items()}

    def states(self, videos: int) -> Iterator[dict[str, np.ndarray]]:
        """What `state` gives, in parts, one `merge` each, with what is kept of at most so many ``videos``."""
        for parts in zip_longest(*(metric.states(videos) for metric in self.metrics), fillvalue={}):
            named = zip(self.metrics, parts, strict=True)
            yield {f"{metric.name}.{name}": own for metric, part in named for name, own in part.items()}

    def merge(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes in the videos that another of the same ``top_k`` has seen, as `Metric.merge` does."""
        for metric in self.metrics:
            names = [name for name in state if name.startswith(f"{metric.name}.")]
            metric.merge({name.partition(".")[2]: state[name] for name in names})

    def get(self) -> dict[str, float]:
        """The value of each metric by its name; NaN as `Metric.get` says."""
        return {metric.name: metric.get() for metric in self.metrics}


@cache
def metric_classes() -> tuple[type[Metric], ...]:
    """The metrics of this package: every concrete subclass of `Metric`, in the order of the files' names."""
    modules = [
        importlib.import_module(f"evaluation.{module.name}")
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    ]
    return tuple(
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Metric) and not inspect.isabstract(member) and member.__module__ == module.__name__
    )


def evaluate(predictions: np.ndarray, labels: np.ndarray, top_k: int = 20) -> dict[str, float]:
    """Judges the predictions of a whole set of videos.

    Args:
        predictions: scores, (videos, classes), any real dtype, no NaN.
        labels: 0 or 1, (videos, classes), any real dtype.
        top_k: how many best classes a video GAP and mAP count, at least 1.

    Returns:
        ``hit_at_1``, ``perr``, ``gap`` and ``mean_ap``.

    Raises:
        ValueError: as `Metric.update`, or ``top_k`` is not a whole number of at least 1.
    """
    metrics = MetricSet(top_k=top_k)
    metrics.update(predictions, labels)
    return metrics.get()
