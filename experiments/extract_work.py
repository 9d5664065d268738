"""The videos of an extraction, one after the other: what is done is kept, so that it need not be done again."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from datasets import output_folder, own_data
from datasets.errors import DataError
from datasets.layout import MAX_ID_BYTES
from datasets.record import MAX_CLASSES, BadRecord
from experiments import counted
from experiments.extraction import Extractor, name_of


class Video(NamedTuple):
    """One video to do.

    Attributes:
        id: its name in the dataset.
        path: of its file.
        size: of the file, in bytes.
        changed: when the file was, in nanoseconds.
        labels: as the CSV has them; None where it does not name the video.
        kept: where its features are, once made.
        frames: how many pictures those are of.
    """

    id: str
    path: str
    size: int
    changed: int
    labels: tuple[int, ...] | None
    kept: Path = Path()
    frames: int = 0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between the first video and the last; it says how many were done."""


def listed(videos: list[Path], table: dict[str, tuple[int, ...]] | None) -> list[Video]:
    """What is to be done: files, by names that occur once, with their labels; no table, no labels."""
    found: dict[str, Video] = {}
    for path in videos:
        stem = name = name_of(path)
        number = 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        if len(name.encode()) > MAX_ID_BYTES:
            raise DataError(f"{path}: its name is longer than {MAX_ID_BYTES} bytes; rename it")
        if not path.is_file():
            raise DataError(f"{path}: {'a folder, not a video' if path.is_dir() else 'no such file'}")
        labels = () if table is None else table.get(name)
        found[name] = Video(name, str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns, labels)
    if not found:
        raise DataError("no video is given")
    return list(found.values())


def labels_of(path: Path | None, num_classes: int | None) -> tuple[dict[str, tuple[int, ...]] | None, int]:
    """The labels of each id in the CSV, None if there is no CSV, and the number of classes."""
    if path is None:
        return None, num_classes or 1
    if not path.is_file():
        raise DataError(f"{path}: {'a folder, not a CSV' if path.is_dir() else 'no such file'}")
    table: dict[str, tuple[int, ...]] = {}
    for row in own_data.rows(path):
        words = row.labels.split()
        if row.flaw or not all(word.isascii() and word.isdecimal() and int(word) < MAX_CLASSES for word in words):
            reason = row.flaw or f"labels {row.labels[:40]!r} are not class numbers separated by blanks"
            raise DataError(f"{path}: line {row.line}: {reason}")
        if row.id in table:
            raise DataError(f"{path}: line {row.line}: the id {row.id} occurs already")
        table[row.id] = tuple(map(int, words))
        if num_classes is not None and any(label >= num_classes for label in table[row.id]):
            raise DataError(f"{path}: line {row.line}: label {max(table[row.id])}, and there are {num_classes} classes")
    return table, num_classes or 1 + max((label for labels in table.values() for label in labels), default=0)


def check_labels(listed: list[Video], single_label: bool) -> None:
    """See that all videos have labels that can be used, before anything is decoded.

    Raises:
        DataError: if one has not.
    """
    for video in listed:
        if flaw := _flaw(video, single_label):
            raise DataError(f"{video.path}: {flaw}; skip_bad=True leaves such out")


def make(
    listed: list[Video], work: Path, extractor: Extractor, single_label: bool, skip_bad: bool
) -> tuple[list[Video], list[str], list[BadRecord]]:
    """Features of all videos, kept in ``work``; those that are there already are not made again.

    Returns:
        What was made, what is to be told of it, a line each, and what was left out.

    Raises:
        DataError: at the first video that cannot be used, unless ``skip_bad``.
    """
    made, notes, bad = [], [], []
    total = sum(video.size for video in listed)
    with tqdm(desc="videos", total=total, unit="B", unit_scale=True, dynamic_ncols=True) as bar:
        for number, video in enumerate(listed):
            bar.set_postfix_str(f"{number + 1} of {len(listed)}: {video.id[:30]}")
            begun = int(bar.n)

            def advance(share: float, begun: int = begun, size: int = video.size) -> None:
                bar.update(begun + int(share * size) - bar.n)

            try:
                if flaw := _flaw(video, single_label):
                    raise DataError(flaw)
                kept = work / f"{digest([extractor.fingerprint(), video[1:4]])}.npz"
                frames, told = _made(kept) or _features(video, kept, extractor, advance)
                made.append(video._replace(kept=kept, frames=frames))
                notes += [f"{video.path}: {line}" for line in told]
            except DataError as error:
                reason = str(error).removeprefix(f"{video.path}: ")
                if not skip_bad:
                    raise DataError(f"{video.path}: {reason}; skip_bad=True leaves such out") from error
                bad.append(BadRecord(video.path, number, "the whole file", reason))
            except KeyboardInterrupt:
                raise Interrupted(f"after {number} of {counted(len(listed), 'video')}") from None
            advance(1.0)
    return made, notes, bad


def _flaw(video: Video, single_label: bool) -> str | None:
    """What is wrong with a video's labels."""
    if video.labels is None:
        return f"no row of the labels has the id {video.id}"
    if single_label and len(video.labels) != 1:
        return f"{len(video.labels)} labels, not one"
    return None


def _features(
    video: Video, kept: Path, extractor: Extractor, advance: Callable[[float], None]
) -> tuple[int, list[str]]:
    notes: list[str] = []
    features = extractor.features(Path(video.path), notes, advance)
    aside = kept.with_suffix(".tmp.npz")
    np.savez(aside, **features, notes=np.array(notes, dtype=str))
    aside.replace(kept)
    return len(features["rgb"]), notes


def _made(kept: Path) -> tuple[int, list[str]] | None:
    try:
        with np.load(kept) as file:
            return len(file["rgb"]), file["notes"].tolist()
    except Exception:  # not there, or half a file, after the machine stopped: it is made again
        return None


@contextmanager
def work_folder(out: Path, split: str) -> Iterator[Path]:
    """A folder for what is done so far; it stays where the work is stopped, if anything is done."""
    refusal = f"{out}: another extraction of split {split} is at work here"
    with output_folder.taken(out / f".{split}.extract", refusal) as work:
        try:
            yield work
        finally:
            with suppress(OSError):  # not empty, or gone
                work.rmdir()


def digest(content: Any) -> str:
    """A short name of ``content``, which JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
