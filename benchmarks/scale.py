"""Does a video cost the same among a million? ``python -m benchmarks.scale [--counts N,...] [--part P,...]``.

The loader, the metrics, the evaluation of a run and its log, each with 10,000 to 1,000,000 videos (or logged values) in
a process of its own: processor time a video, and by how much the process's own memory grows, mapped files left out.

Videos are as wide and as long as YouTube-8M's, 1,000 in a data file. A split of many is that file under as many names
(hard links): its videos share their frames, which lie in the page cache once, while all that is kept of a video in
memory, order, offsets and labels, is there for each. YouTube-8M has its 3.8 million training videos in 3,844 files.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks import arguments
from benchmarks.inputs import synthetic_videos
from benchmarks.plot import Bar
from benchmarks.record import Record
from benchmarks.scale_parts import PARTS
from benchmarks.sides import ratios, spread
from datasets import hdf5
from experiments import ROOT
from experiments.errors import UserError

COUNTS = [10_000, 100_000, 1_000_000]
VIDEOS_A_FILE = 1000
# What is printed of a part: where its answer has it, and in words.
ROWS = {
    "loader": {
        "open_us": "opening a split",
        "open_bytes": "memory of an open split",
        "epoch_us": "an epoch, 100 frames a video",
        "epoch_bytes": "memory in it",
        "sorted_us": "batches of all frames, sorted by length",
        "sorted_bytes": "memory in it",
    },
    "metrics": {
        "update_us": "`MetricSet.update`",
        "update_bytes": "memory in it",
        "get_us": "`MetricSet.get`",
        "get_bytes": "memory in it",
    },
    "evaluation": {"evaluate_us": "an evaluation, tiny net", "evaluate_bytes": "memory in it"},
    "log": {
        "first_us": "one of the first 10,000 values",
        "last_us": "one of the last 10,000",
        "beside_us": "the rest of the run, its copy in the store too",
        "log_bytes": "memory in it",
    },
}


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("scale", __doc__, rounds=2)
    counts = ",".join(map(str, COUNTS))
    parser.add_argument("--counts", type=arguments.numbers, default=COUNTS, help=f"videos, whole thousands ({counts})")
    parser.add_argument("--part", type=arguments.some_of(list(PARTS)), default=list(PARTS), help=",".join(PARTS))
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    if odd := [count for count in given.counts if count % VIDEOS_A_FILE]:
        raise UserError(f"--counts {odd[0]}: not whole thousands")
    record = Record("scale", words, given.out)
    first, last = given.counts[0], given.counts[-1]
    record.head(["part", "what", *(f"{count:,}:" for count in given.counts), f"{last:,} / {first:,}:"])
    with tqdm(
        total=given.rounds * len(given.part) * len(given.counts), unit=" measurements", dynamic_ncols=True
    ) as bar:
        for part in given.part:
            found: dict[int, list[dict[str, float]]] = {count: [] for count in given.counts}
            for _ in range(given.rounds):
                for count, answers in found.items():
                    bar.set_description(f"{part}, {count:,}")
                    answers.append(_once(part, count))
                    record.add(part=part, count=count, **answers[-1])
                    bar.update()
            bar.clear()
            for key, what in ROWS[part].items():
                values = [[own[key] for own in answers] for answers in found.values()]
                growth = spread(ratios(values[-1], values[0])) if all(values[0]) else "-"
                record.row([part, what, *(_cell(key, statistics.median(own)) for own in values), growth])
                if key.endswith("_us"):
                    bars = [Bar(f"{count:,}", own) for count, own in zip(given.counts, values, strict=True)]
                    record.panel(what.replace("`", ""), "us", bars)
    record.say(
        f"\n{given.rounds} rounds: medians, [lowest, highest] of the pairs. Microseconds of processor time a video, or "
        "a logged value; memory of the process's own, at most."
    )


def _cell(key: str, value: float) -> str:
    return f"{value / 1e6:,.0f} MB" if key.endswith("bytes") else f"{value:,.2f} us"


def _once(part: str, count: int) -> dict[str, float]:
    with linked_videos(count) as folder:
        words = [sys.executable, "-W", "ignore", "-m", "benchmarks.scale_parts", part, str(count), str(folder)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word of why")
        raise UserError(f"benchmarks/scale_parts.py {part} {count}: {reason}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def linked_videos(count: int) -> Iterator[Path]:
    """A folder with a split of ``count`` videos that share the frames of 1,000."""
    (whole,) = synthetic_videos(VIDEOS_A_FILE).iterdir()
    with tempfile.TemporaryDirectory(dir=whole.parents[1]) as place:  # on the same disk
        files = count // VIDEOS_A_FILE
        for number in range(files):
            (Path(place) / hdf5.shard_name("train", number, files)).hardlink_to(whole)
        yield Path(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
