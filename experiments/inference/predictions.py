"""The best classes of each video, as Kaggle's CSV, as JSON lines, and as a table for the terminal."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from experiments.errors import UserError
from experiments.inference.description import Description

SHOWN = 5  # classes of a video on the terminal
FORMATS = (".csv", ".jsonl")


def best(probabilities: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes of the highest probabilities, and these, the best first; of equal ones the lower class first.

    Args:
        probabilities: (videos, classes).
        top_k: how many.

    Returns:
        (videos, top_k) int64 classes and (videos, top_k) probabilities.
    """
    count = min(top_k, probabilities.shape[1])
    lowest = np.partition(probabilities, -count, axis=1)[:, -count, None]  # (B, 1), the last that is in
    classes = np.empty((len(probabilities), count), np.int64)
    for row, (values, least) in enumerate(zip(probabilities, lowest[:, 0], strict=True)):
        found = np.flatnonzero(values >= least)
        classes[row] = found[np.argsort(-values[found], kind="stable")][:count]
    return classes, np.take_along_axis(probabilities, classes, axis=1)


class Output:
    """A file of predictions, written aside and renamed when it is whole.

    Args:
        path: its ending, ``.csv`` or ``.jsonl``, says the format.
        net: for the classes' names.

    Raises:
        UserError: for another ending, or a place where nothing can be written.
    """

    def __init__(self, path: Path, net: Description):
        if path.suffix not in FORMATS:
            raise UserError(f"output={path}: must end in {' or '.join(FORMATS)}")
        self._path, self._net = path, net
        self._aside = path.with_name(f".{path.name}.tmp")

    def __enter__(self) -> "Output":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = self._aside.open("w")
        except OSError as error:
            raise UserError(f"output={self._path}: cannot be written: {error.strerror}") from error
        if self._path.suffix == ".csv":
            self._file.write("VideoId,LabelConfidencePairs\n")
        return self

    def add(self, ids: Iterable[str], classes: np.ndarray, probabilities: np.ndarray, explained: Any = None) -> None:
        """Write a line a video; ``explained`` holds a value a video for JSON lines, or is None."""
        line = _csv_line if self._path.suffix == ".csv" else self._json_line
        for row, name in enumerate(ids):
            extra = explained[row] if explained else None
            self._file.write(line(name, classes[row].tolist(), probabilities[row].tolist(), extra))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            self._aside.replace(self._path)
        else:
            self._aside.unlink(missing_ok=True)

    def _json_line(self, name: str, classes: list[int], probabilities: list[float], explained: Any) -> str:
        pairs = [
            {"class": number, "name": self._net.name_of(number), "probability": round(value, 7)}
            for number, value in zip(classes, probabilities, strict=True)
        ]
        attention = {"attention": explained} if explained else {}
        return json.dumps({"video": name, "predictions": pairs, **attention}, ensure_ascii=False) + "\n"


def table(ids: Iterable[str], classes: np.ndarray, probabilities: np.ndarray, net: Description, width: int) -> str:
    """A few best classes of each video, a line each."""
    lines = []
    for row, name in enumerate(ids):
        pairs = [
            f"{100 * value:5.1f} % {net.name_of(int(number))}"
            for number, value in zip(classes[row][:SHOWN], probabilities[row][:SHOWN], strict=True)
        ]
        lines.append(f"{name:<12} {'  '.join(pairs)}"[:width])
    return "\n".join(lines)


def _csv_line(name: str, classes: list[int], probabilities: list[float], explained: Any) -> str:  # noqa: ARG001
    pairs = " ".join(f"{number} {value:.6f}" for number, value in zip(classes, probabilities, strict=True))
    quoted = '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n\r') else name
    return f"{quoted},{pairs}\n"
