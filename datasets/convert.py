"""From YouTube-8M's TFRecords, Paddle's pickles or features of your own to the data files of datasets.hdf5.

Sources are files or folders; what they hold is told by their content. The same command goes on where it was
interrupted. docs/data_format.md describes data of your own.
"""

import argparse
import csv
import fcntl
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from datasets import hdf5, layout, shard_maker, sources
from datasets.errors import DataError
from datasets.shard_maker import BadRecord, Progress, Task

SHARD_MIB = 400  # a process holds one data file in memory while it makes it; a YouTube-8M source has 80 to 270
SPLITS = {"train": "train", "valid": "validate", "test": "test"}  # how a source's name begins: its split


@dataclass(frozen=True)
class Options:
    """What a user may choose; None stands for what the sources suggest.

    Attributes:
        split: name of the split.
        modalities, num_classes, single_label, value_range: see ``layout.find``.
        skip_bad: leave out records that cannot be used, and list them.
        workers: processes, all cores by default.
        shard_mib: bytes of sources a data file, in MiB.
    """

    split: str | None = None
    modalities: list[str] | None = None
    num_classes: int | None = None
    single_label: bool = False
    value_range: tuple[float, float] | None = None
    skip_bad: bool = False
    workers: int | None = None
    shard_mib: int = SHARD_MIB


@dataclass(frozen=True)
class Summary:
    """What a conversion gave: how many videos in how many files of which split, and what was left out, listed where."""

    videos: int
    files: int
    split: str
    bad: int
    report: Path

    def __str__(self) -> str:
        made = f"{_count(self.videos, 'video')} in {_count(self.files, 'file')} of split {self.split}"
        return f"{made}; {_count(self.bad, 'bad record')} left out, see {self.report}" if self.bad else made


def convert(given: list[Path], out: Path, options: Options) -> Summary:
    """Make the data files ``<split>-NUMBER-of-TOTAL.h5`` in ``out``; those that are there already are kept.

    Raises:
        DataError: if a source cannot be used, or at the first bad record unless ``options.skip_bad``.
    """
    files = sources.files(given)
    split = _split(files, options)
    limit = options.shard_mib << 20
    spans = [span for path in files for span in sources.spans(path, limit)]
    groups = sources.packed(spans, limit)
    common = layout.find(
        spans, options.modalities, options.num_classes, options.single_label, options.value_range, options.skip_bad
    )
    names = [f"{split}-{number:05d}-of-{len(groups):05d}.h5" for number in range(len(groups))]
    _refuse_others(out, split, names)
    with _workspace(out, split) as aside:
        command = _command(split, common, options)
        tasks = [
            Task(aside / name, group, common, command, options.skip_bad)
            for name, group in zip(names, groups, strict=True)
        ]
        videos, bad = _run(tasks, out, options.workers or len(os.sched_getaffinity(0)))
    report = out / f"bad_records_{split}.csv"
    _write_report(report, bad)
    return Summary(videos, len(tasks), split, len(bad), report)


def _run(tasks: list[Task], out: Path, workers: int) -> tuple[int, list[BadRecord]]:
    """Make all files, and let each into ``out`` after those before it.

    Only in this order can it be told which of two videos of one id is the second, whatever the processes' pace; and a
    set of files that is complete is free of them.

    Returns:
        Number of videos, and what was left out.
    """
    made = [_is_made(out / task.path.name, task) for task in tasks]
    context = multiprocessing.get_context("spawn")
    progress = Progress(context)
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, shard_maker.start_process, (progress,))
    taken: set[str] = set()
    bad: list[BadRecord] = []
    try:
        with _Bar(tasks, made, progress) as bar:
            futures = [
                None if done else pool.submit(shard_maker.make, task) for task, done in zip(tasks, made, strict=True)
            ]
            for task, future in zip(tasks, futures, strict=True):
                path = out / task.path.name
                ids, left_out = bar.wait_for(future) if future else (hdf5.read(path).ids, [])
                twice = taken.intersection(ids)
                if twice:
                    future = pool.submit(shard_maker.make, replace(task, taken=frozenset(twice)))
                    ids, left_out = bar.wait_for(future)
                if future:
                    task.path.replace(path)
                taken.update(ids)
                bad += left_out
    except (BrokenProcessPool, MemoryError) as error:
        raise DataError("a process ended for want of memory, or was killed; try fewer --workers") from error
    finally:
        progress.stopped.value = 1
        pool.shutdown(cancel_futures=True)
    return len(taken), bad


class _Bar:
    """A progress bar in bytes, with a count of videos."""

    def __init__(self, tasks: list[Task], made: list[bool], progress: Progress):
        sizes = [sum(span.size for span in task.spans) for task in tasks]
        there = sum(size for size, done in zip(sizes, made, strict=True) if done)
        self._progress = progress
        self._bar = tqdm(total=sum(sizes), initial=there, unit="B", unit_scale=True, disable=None)
        self._seen = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def wait_for(self, future: Future) -> tuple[list[str], list[BadRecord]]:
        """What ``future`` returns, with the bar moving until then."""
        done = False
        while not done:
            done = bool(wait([future], timeout=0.2).done)
            self._bar.set_postfix_str(f"{self._progress.videos.value:,} videos", refresh=False)
            self._bar.update(self._progress.bytes.value - self._seen)
            self._seen = self._progress.bytes.value
        return future.result()


def _is_made(path: Path, task: Task) -> bool:
    """Whether ``path`` is what ``task`` would make.

    A file from which records were left out is made again: the source may have been mended in the middle, which
    its description does not tell.
    """
    try:
        shard = hdf5.read(path)
    except DataError:
        return False
    return not shard.skipped and (shard.source, shard.command) == (sources.description(task.spans), task.command)


@contextmanager
def _workspace(out: Path, split: str) -> Iterator[Path]:
    """A folder for unfinished files, those of a killed run too; removed in the end."""
    folder = out / f".{split}.partial"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{out}: another conversion of split {split} is at work here; let it end") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def _refuse_others(out: Path, split: str, names: list[str]) -> None:
    for path in sorted(out.glob(f"{split}-*-of-*.h5")):
        if path.name not in names:
            raise DataError(
                f"{path}: from a conversion of other sources, which makes {len(names)} files now; remove split {split}"
                f" from {out}, or choose another --split or --out"
            )


def _split(files: list[Path], options: Options) -> str:
    """The split's name: the user's, or the one that all files' names begin with, or train where none does so."""
    if options.split is not None:
        if not re.fullmatch(r"\w+", options.split, re.ASCII):
            raise DataError(f"--split {options.split}: only letters, digits and _ make the name of a split")
        return options.split
    found = {next((s for start, s in SPLITS.items() if path.name.startswith(start)), "") for path in files}
    if len(found) > 1:
        names = ", ".join(name or "unnamed" for name in sorted(found))
        raise DataError(f"sources of several splits ({names}); convert them apart, or join them by --split NAME")
    return found.pop() or "train"


def _command(split: str, common: layout.Layout, options: Options) -> str:
    """The command with all that decides the content of a data file, and no more."""
    words = ["python -m datasets.convert", f"--split {split}", f"--modalities {','.join(common.modalities)}"]
    words += [f"--num-classes {common.num_classes}", f"--shard-mib {options.shard_mib}"]
    words += [f"--range {low} {high}" for low, high in sorted(set(common.ranges.values()))]
    return " ".join(words + ["--single-label"] * common.single_label)


def _write_report(path: Path, bad: list[BadRecord]) -> None:
    if not bad:
        path.unlink(missing_ok=True)
        return
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "record", "place", "reason"])
        writer.writerows([record.file, record.number, record.where, record.reason] for record in bad)
    aside.replace(path)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("s" if number != 1 else "")


def positive(text: str) -> int:
    """An argument that must be a number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text}: not a number above 0")
    return int(text)


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m datasets.convert", description=__doc__)
    add = parser.add_argument
    add("source", nargs="+", type=Path, help="files or folders")
    add("--out", type=Path, required=True, help="folder of the dataset")
    add("--split", help="default: as the sources' names begin, or train")
    add("--modalities", type=lambda text: text.split(","), help="for example rgb,audio; default: the first video's")
    add("--num-classes", type=positive, help="default: 3862, for own data as many as the CSV needs")
    add("--single-label", action="store_true", help="every video has exactly one label")
    add("--range", nargs=2, type=float, metavar=("MIN", "MAX"), help="values that the bytes 0 and 255 stand for")
    add("--skip-bad", action="store_true", help="leave out records that cannot be used, and list them")
    add("--workers", type=positive, help="processes; default: all cores")
    add("--shard-mib", type=positive, default=SHARD_MIB, help=f"size of a data file, default {SHARD_MIB}")
    given = parser.parse_args(arguments)
    options = Options(
        split=given.split,
        modalities=given.modalities,
        num_classes=given.num_classes,
        single_label=given.single_label,
        value_range=tuple(given.range) if given.range else None,
        skip_bad=given.skip_bad,
        workers=given.workers,
        shard_mib=given.shard_mib,
    )
    try:
        print(f"{given.out}: {convert(given.source, given.out, options)}")
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
