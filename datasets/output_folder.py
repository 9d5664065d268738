"""The folder that a conversion writes into: whose files are in it, whose turn it is, what was left out."""

import csv
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets import hdf5, hdf5_check
from datasets.errors import DataError
from datasets.record import BadRecord
from datasets.shard_maker import Task


def of_others(out: Path, split: str, names: list[str], conversion: str) -> list[Path]:
    """The files of ``split`` that another conversion made; one of ``names`` that is damaged is not among them.

    Args:
        out: the folder.
        split: its name.
        names: of the files that this conversion makes.
        conversion: what is noted in them.
    """
    found = []
    for path in hdf5.shard_files(out, split):
        try:
            own = hdf5.read(path).conversion == conversion
        except DataError:
            own = path.name in names
        if not own:
            found.append(path)
    return found


def is_made(path: Path, task: Task) -> bool:
    """Whether ``path`` is what ``task`` would make; the bytes of its features are trusted.

    A file from which records were left out is made again, to tell again which.
    """
    try:
        hdf5_check.check(path, features=False)
        shard = hdf5.read(path)
    except DataError:
        return False
    wanted = task.source, task.command, task.conversion
    return not shard.skipped and (shard.source, shard.command, shard.conversion) == wanted


@contextmanager
def workspace(out: Path, split: str) -> Iterator[Path]:
    """A folder for unfinished files, those of a killed run too; removed in the end."""
    with taken(out / f".{split}.partial", f"{out}: another conversion of split {split} is at work here") as folder:
        try:
            yield folder
        finally:
            # Workers of a cluster that was lost may write here yet; the next conversion removes what they leave.
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def taken(folder: Path, refusal: str | None) -> Iterator[Path]:
    """``folder``, made where it is not there, for this process alone.

    Args:
        folder: which.
        refusal: what is told where another process has it; None waits for that one.

    Raises:
        DataError: with ``refusal``, if another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError as error:
            raise DataError(f"{refusal}; let it end") from error
        yield folder
    finally:
        os.close(lock)


def report_path(out: Path, split: str) -> Path:
    """Where the records are listed that were left out."""
    return out / f"bad_records_{split}.csv"


def write_report(path: Path, bad: list[BadRecord]) -> None:
    """List ``bad`` at ``path``; where there are none, there is no list either."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "record", "place", "reason"])
            writer.writerows([record.file, record.number, record.where, record.reason] for record in bad)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
