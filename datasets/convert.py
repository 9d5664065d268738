"""From YouTube-8M's TFRecords, Paddle's pickles or features of your own to the data files of datasets.hdf5.

Sources are files or folders; what they hold is told by their content. The same command goes on where it was
interrupted. docs/data_format.md describes data of your own.
"""

import argparse
import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from datasets import cluster, command, hdf5, layout, output_folder, shard_cluster, shard_pool, shard_processes, sources
from datasets.cluster import Cluster
from datasets.errors import DataError
from datasets.layout import NoVideoError
from datasets.record import BadRecord
from datasets.shard_maker import Task
from datasets.sources import Span

GOES_ON = "the same command goes on where it stopped"
SHARD_MIB = 400  # a process holds one data file in memory while it makes it; a YouTube-8M source has 80 to 270
SPLITS = {"train": "train", "valid": "validate", "test": "test"}  # how a source's name begins: its split


@dataclass(frozen=True)
class Options:
    """What a user may choose; None stands for what the sources suggest.

    Attributes:
        split: name of the split.
        modalities, num_classes, single_label, value_range: see ``layout.find``.
        skip_bad: leave out records that cannot be used, and list them.
        replace: remove what another conversion made of this split; otherwise that is an error.
        workers: processes, all cores by default.
        shard_mib: bytes of sources a data file, in MiB.
        cluster: address of a dask scheduler, whose workers do it in place of processes of this machine.
    """

    split: str | None = None
    modalities: list[str] | None = None
    num_classes: int | None = None
    single_label: bool = False
    value_range: tuple[float, float] | None = None
    skip_bad: bool = False
    replace: bool = False
    workers: int | None = None
    shard_mib: int = SHARD_MIB
    cluster: str | None = None


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
        DataError: if a source cannot be used, at the first bad record unless ``options.skip_bad``, if not one video
            can be used, or if ``out`` has files of another conversion.
    """
    with cluster.connected(options.cluster) as workers:
        if workers:  # whose current folder is another
            given, out = [path.absolute() for path in given], out.absolute()
        return _convert(given, out, options, workers)


def _convert(given: list[Path], out: Path, options: Options, workers: Cluster | None) -> Summary:
    files = sources.files(given)
    split = _split(files, options)
    report = output_folder.report_path(out, split)
    limit = options.shard_mib << 20
    spans = [span for path in files for span in sources.spans(path, limit)]
    try:
        common = layout.find(
            spans, options.modalities, options.num_classes, options.single_label, options.value_range, options.skip_bad
        )
        videos, bad, total = _make(sources.packed(spans, limit), common, out, split, options, workers)
        if not videos:
            raise NoVideoError(files[0], bad)
    except NoVideoError as error:
        if not error.bad:
            raise
        output_folder.write_report(report, error.bad)
        raise DataError(f"{error}, see {report}") from error
    output_folder.write_report(report, bad)
    return Summary(videos, total, split, len(bad), report)


def _make(
    groups: list[list[Span]], common: layout.Layout, out: Path, split: str, options: Options, workers: Cluster | None
) -> tuple[int, list[BadRecord], int]:
    """Make a data file of each group; the number of videos, what was left out, and the number of files."""
    command_line = _command(split, common, options)
    described = [sources.description(group) for group in groups]
    conversion = hashlib.sha256("\n".join([command_line, *described]).encode()).hexdigest()[:32]
    names = [hdf5.shard_name(split, number, len(groups)) for number in range(len(groups))]
    others = output_folder.of_others(out, split, names, conversion)
    if others and not options.replace:
        raise DataError(
            f"{others[0]}: of another conversion, or its sources or options have changed; --replace removes split"
            f" {split} from {out} and makes it anew, another --split or --out keeps it"
        )
    with output_folder.workspace(out, split) as aside:
        for path in others:
            path.unlink(missing_ok=True)
        tasks = [
            Task(aside / name, group, common, command_line, source, conversion, options.skip_bad)
            for name, group, source in zip(names, groups, described, strict=True)
        ]
        count = min(options.workers or len(os.sched_getaffinity(0)), len(tasks))
        with shard_cluster.workers(workers, tasks) if workers else shard_processes.processes(count) as pool:
            videos, bad = shard_pool.run(tasks, out, pool)
        if not videos:
            for name in names:
                (out / name).unlink()
    return videos, bad, len(tasks)


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


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("s" if number != 1 else "")


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m datasets.convert", description=__doc__)
    add = parser.add_argument
    add("source", nargs="+", type=Path, help="files or folders")
    add("--out", type=Path, required=True, help="folder of the dataset")
    add("--split", help="default: as the sources' names begin, or train")
    add("--modalities", type=lambda text: text.split(","), help="for example rgb,audio; default: all that occur")
    add("--num-classes", type=command.positive, help="default: 3862, for own data as many as the CSV needs")
    add("--single-label", action="store_true", help="every video has exactly one label")
    add("--range", nargs=2, type=float, metavar=("MIN", "MAX"), help="values that the bytes 0 and 255 stand for")
    add("--skip-bad", action="store_true", help="leave out records that cannot be used, and list them")
    add("--replace", action="store_true", help="remove what another conversion made of this split")
    add("--workers", type=command.positive, help="processes; default: all cores")
    add("--cluster", metavar="ADDRESS", help="tcp://HOST:8786, a dask scheduler whose workers do it, docs/cluster.md")
    add("--shard-mib", type=command.positive, default=SHARD_MIB, help=f"size of a data file, default {SHARD_MIB}")
    given = parser.parse_args(arguments)
    options = Options(
        split=given.split,
        modalities=given.modalities,
        num_classes=given.num_classes,
        single_label=given.single_label,
        value_range=tuple(given.range) if given.range else None,
        skip_bad=given.skip_bad,
        replace=given.replace,
        workers=given.workers,
        shard_mib=given.shard_mib,
        cluster=given.cluster,
    )
    return command.run(lambda: report(given.source, given.out, options), GOES_ON)


def report(given: list[Path], out: Path, options: Options) -> int:
    """Convert, and tell what that gave; the exit code."""
    command.say(f"{out}: {convert(given, out, options)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
