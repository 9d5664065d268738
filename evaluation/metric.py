"""What a metric is: a name, a direction, ``update(predictions, labels)`` and ``get()``."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from evaluation.batch import Batch, ranked_batches
from evaluation.column import Column


class Metric(ABC):
    """A figure over all videos seen so far, whatever their order and the sizes of the batches.

    A new metric is a new file of this package with a subclass: a name, ``_accumulate`` and ``get``.
    `MetricSet` finds it there. What it accumulates is in attributes whose names begin with an underscore: a `Column`
    for what it keeps of every video, and numbers or arrays that add up. So what several machines have seen can be
    put together.

    Args:
        top_k: how many best classes a video are ranked, at least 1.

    Raises:
        ValueError: ``top_k`` is not a whole number of at least 1.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    def __init__(self, top_k: int = 20) -> None:
        if not isinstance(top_k, int | np.integer) or top_k < 1:
            raise ValueError(f"top_k must be a whole number of at least 1, got {top_k!r}")
        self.top_k = top_k
        self.num_classes: int | None = None  # known from the first update on

    def update(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Takes in more videos; where it refuses them, it has taken in none of them.

        Args:
            predictions: scores, (videos, classes), any real dtype, no NaN. Probabilities, or any other
                scores: only their order counts, and for PERR their sign.
            labels: 0 or 1, (videos, classes), any real dtype.

        Raises:
            ValueError: the arrays are not (videos, classes), differ in shape or are not of real numbers, a
                prediction is NaN, a label is neither 0 nor 1, or the number of classes has changed.
        """
        for batch in list(ranked_batches(predictions, labels, self.top_k)):
            self.add(batch)

    def add(self, batch: Batch) -> None:
        """Takes in videos that are already ranked to ``top_k``.

        Raises:
            ValueError: the number of classes has changed.
        """
        num_classes = len(batch.num_positives)
        if self.num_classes not in (None, num_classes):
            raise ValueError(f"got {num_classes} classes after {self.num_classes}")
        self.num_classes = num_classes
        self._accumulate(batch)

    def state(self) -> dict[str, np.ndarray]:
        """All that was accumulated, for another's `merge`."""
        state = {}
        for name, value in vars(self).items():
            if name.startswith("_") and not isinstance(value, Column):
                state[name] = np.asarray(value)
            elif name.startswith("_") and value:
                state[name] = value.array()
        return state if self.num_classes is None else {**state, "num_classes": np.asarray(self.num_classes)}

    def states(self, videos: int) -> Iterator[dict[str, np.ndarray]]:
        """What `state` gives, in parts, one `merge` each, with what is kept of at most so many ``videos``."""
        state = self.state()
        columns = {name: value for name, value in state.items() if isinstance(getattr(self, name), Column)}
        yield {**state, **{name: value[:videos] for name, value in columns.items()}}
        for start in range(videos, max(map(len, columns.values()), default=0), videos):
            part = {name: value[start : start + videos] for name, value in columns.items()}
            yield {**part, "num_classes": state["num_classes"]}

    def merge(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes in the videos that another of the same ``top_k`` has seen, whose `state` this is.

        Raises:
            ValueError: it is of another number of classes.
        """
        if "num_classes" not in state:
            return  # it has seen none
        num_classes = int(state["num_classes"])
        if self.num_classes not in (None, num_classes):
            raise ValueError(f"got {num_classes} classes after {self.num_classes}")
        self.num_classes = num_classes
        for name, value in state.items():
            if name != "num_classes":
                own = getattr(self, name)
                if isinstance(own, Column):
                    own.append(value)
                else:
                    setattr(self, name, own + (value if value.ndim else value.item()))

    @abstractmethod
    def _accumulate(self, batch: Batch) -> None:
        """Takes in a batch of the right number of classes."""

    @abstractmethod
    def get(self) -> float:
        """The value over all videos so far; NaN where there is none."""
