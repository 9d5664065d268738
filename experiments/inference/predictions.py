"""The best classes of each video, as Kaggle's CSV, as JSON lines, and as a table for the terminal."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np

from experiments.errors import UserError
from experiments.inference import attention
from experiments.inference.attention import Attention
from experiments.inference.description import Description
from experiments.inference.places import check_writable

SHOWN = 5  # classes of a video on the terminal
GROUP = 64  # classes of which the highest is looked for first
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
    classes = np.empty((len(probabilities), count), np.int64)
    for row, (values, least) in enumerate(zip(probabilities, _least(probabilities, count), strict=True)):
        found = np.flatnonzero(values >= least)
        classes[row] = found[np.argsort(-values[found], kind="stable")][:count]
    return classes, np.take_along_axis(probabilities, classes, axis=1)


def _least(probabilities: np.ndarray, count: int) -> np.ndarray:
    """What the ``count`` highest of each row reach; some others may: (videos,).

    The highest of groups of classes are few, and ``count`` of them are as high as the least of them.
    """
    groups = probabilities.shape[1] // GROUP
    if groups < count:
        return np.partition(probabilities, -count, axis=1)[:, -count]
    highest = probabilities[:, : groups * GROUP].reshape(-1, groups, GROUP).max(axis=2)  # (B, groups)
    return np.partition(highest, -count, axis=1)[:, -count]


def check(path: Path) -> None:
    """See that predictions can be written to ``path``.

    Raises:
        UserError: if its ending is another than a format's, or it cannot be written.
    """
    if path.is_dir():
        raise UserError(f"output={path}: a folder; name a file in it, {' or '.join(f'NAME{own}' for own in FORMATS)}")
    if path.suffix not in FORMATS:
        raise UserError(f"output={path}: must end in {' or '.join(FORMATS)}")
    check_writable(path.parent, f"output={path}")


class Output:
    """A file of predictions, written aside and renamed when it is whole.

    Args:
        path: its ending, ``.csv`` or ``.jsonl``, says the format; see `check`.
        net: for the classes' names.

    Raises:
        UserError: if nothing can be written there.
    """

    def __init__(self, path: Path, net: Description):
        self._path, self._net = path, net
        self._aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> "Output":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # an id may have what no UTF-8 has: the bytes of a file's name
            self._file: TextIO = self._aside.open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise self._unwritable(error) from error
        if self._path.suffix == ".csv":
            self._file.write("VideoId,LabelConfidencePairs\n")
        return self

    def add(
        self,
        ids: Iterable[str],
        classes: np.ndarray,
        probabilities: np.ndarray,
        looked: Sequence[dict[str, Attention]] | None = None,
    ) -> None:
        """Write a line a video, in JSON with its attention where ``looked`` has it.

        Raises:
            UserError: if the disk is full, or gone.
        """
        for row, name in enumerate(ids):
            values = name, classes[row].tolist(), probabilities[row].tolist()
            own = looked[row] if looked else None
            line = _csv_line(*values) if self._path.suffix == ".csv" else self._json_line(*values, own)
            try:
                self._file.write(line)
            except OSError as error:
                raise self._unwritable(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # writes the rest
            if kind is None:
                self._aside.replace(self._path)
        except OSError as flaw:
            if kind is None:
                raise self._unwritable(flaw) from flaw
        finally:
            self._aside.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"output={self._path}: cannot be written: {error.strerror}")

    def _json_line(
        self, name: str, classes: list[int], probabilities: list[float], looked: dict[str, Attention] | None
    ) -> str:
        pairs = [
            {"class": number, "name": self._net.name_of(number), "probability": round(value, 7)}
            for number, value in zip(classes, probabilities, strict=True)
        ]
        more = {"attention": {modality: own.as_json() for modality, own in looked.items()}} if looked else {}
        return json.dumps({"video": name, "predictions": pairs, **more}, ensure_ascii=False) + "\n"


def table(
    ids: Iterable[str],
    classes: np.ndarray,
    probabilities: np.ndarray,
    net: Description,
    width: int,
    looked: Sequence[dict[str, Attention]] | None = None,
    whole: bool = False,
) -> str:
    """The best classes of each video; below them, where ``looked`` has it, where the net looked.

    Args:
        ids: the videos' names.
        classes: (videos, top_k), the best first.
        probabilities: (videos, top_k), theirs.
        net: for the classes' names.
        width: of a line.
        looked: the attention in each video.
        whole: show all classes, in as many lines as they take; otherwise a line of a few.
    """
    lines = []
    ids = [plain(name) for name in ids]
    widest = min(max(map(len, ids), default=0), width // 3)
    for row, name in enumerate(ids):
        pairs = [
            f"{100 * value:5.1f} % {plain(net.title_of(int(number)))}"
            for number, value in zip(classes[row], probabilities[row], strict=True)
        ]
        start = f"{name[:widest]:<{widest}} "
        if whole:
            lines += [own[:width] for own in _wrapped(start, pairs, width)]
        else:
            line = start + pairs[0]
            for pair in pairs[1:SHOWN]:
                if len(line) + 2 + len(pair) > width:
                    break  # a class is shown whole or not at all
                line += f"  {pair}"
            lines.append(line[:width])
        if looked:
            lines.append(f"  {attention.line(looked[row], width - 2)}")
    return "\n".join(lines)


def _wrapped(start: str, pairs: list[str], width: int) -> list[str]:
    """``pairs`` after ``start``; where a line does not hold them, in columns below each other."""
    line = start + "  ".join(pairs)
    if len(line) <= width:
        return [line]
    cell = max(map(len, pairs))
    count = max(1, (width - len(start) + 2) // (cell + 2))
    rows = ["  ".join(f"{own:<{cell}}" for own in pairs[at : at + count]) for at in range(0, len(pairs), count)]
    return [f"{' ' * len(start) if number else start}{own}".rstrip() for number, own in enumerate(rows)]


def plain(text: str) -> str:
    """``text`` as a terminal or a picture can show it: what is no printable character, such as Escape, is a ?."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _csv_line(name: str, classes: list[int], probabilities: list[float]) -> str:
    pairs = " ".join(f"{number} {value:.6f}" for number, value in zip(classes, probabilities, strict=True))
    quoted = '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n\r') else name
    return f"{quoted},{pairs}\n"
