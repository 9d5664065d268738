"""Hit@1, PERR, GAP@20 and mAP of many videos: ``python -m benchmarks.metrics [--videos N,...] [--batch B,...]``.

Our `evaluation.MetricSet` beside the same four metrics as one would write them in PyTorch for speed (`torch.topk` of a
batch, the best 20 kept and sorted at the end), on random scores of 3862 classes, from the first batch to the values.
Rounds are interleaved, and each measurement is a process of its own, so that its memory is its own too. Both must
give the same values, or nothing is measured.
"""

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import arguments
from benchmarks.plot import Bar
from benchmarks.record import FOLDER, Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from experiments.errors import UserError

PEER = "PyTorch"
MODULES = {OURS: "metrics_numpy", PEER: "metrics_torch"}
TOLERANCE = 1e-6
COMPARED_VIDEOS = 3000
COLUMNS = ("batch:", "videos:", "side", "videos/s:", "of PyTorch's", "at the end, s:", "memory above the start, MB:")


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    videos = [10_000, 100_000]
    parser.add_argument("--videos", type=arguments.numbers, default=videos, help="numbers of them (10000,100000)")
    parser.add_argument("--batch", type=arguments.numbers, default=[128, 1024], help="batch sizes (128,1024)")
    parser.add_argument("--rounds", type=arguments.number, default=3, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the record (runs/bench)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    same(*(_ask(side, COMPARED_VIDEOS, given.batch[0]) for side in (OURS, PEER)))
    record = Record("metrics", words, given.out)
    record.head(COLUMNS)
    total = len(given.batch) * len(given.videos) * given.rounds * len(MODULES)
    with tqdm(total=total, unit=" measurements", dynamic_ncols=True, delay=1) as bar:
        for batch_size, videos in itertools.product(given.batch, given.videos):
            found: dict[str, list[dict[str, Any]]] = {side: [] for side in MODULES}
            for _ in range(given.rounds):
                for side, answers in found.items():
                    answers.append(answer := _ask(side, videos, batch_size))
                    record.add(batch_size=batch_size, videos=videos, **answer)
                    bar.update()
                same(*(answers[-1] for answers in found.values()))
            bar.clear()
            speeds = {side: [answer["videos_per_second"] for answer in answers] for side, answers in found.items()}
            for side, answers in found.items():
                of_peer = "1" if side == PEER else spread(ratios(speeds[side], speeds[PEER]))
                record.row(row(batch_size, videos, answers, of_peer))
            bars = [
                Bar(answers[0]["framework"], speeds[side], f"{_megabytes(answers)} MB")
                for side, answers in found.items()
            ]
            record.panel(f"batch {batch_size}, {videos:,} videos", "videos/s", bars)
    record.say(f"\n{given.rounds} rounds: medians, [lowest, highest] of the pairs; the most memory of all rounds.")


def same(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> None:
    """Raises a UserError where two sides' metrics differ by more than rounding."""
    for name, value in ours["metrics"].items():
        other = peer["metrics"][name]
        if not abs(value - other) <= TOLERANCE:
            raise UserError(f"{peer['framework']}: {name} {other:.8f}, ours {value:.8f}; they are not the same metrics")


def row(batch_size: int, videos: int, answers: Sequence[Mapping[str, Any]], of_peer: str) -> list[str]:
    """The table's line of one side."""
    return [
        str(batch_size),
        f"{videos:,}",
        answers[0]["framework"],
        f"{statistics.median(answer['videos_per_second'] for answer in answers):,.0f}",
        of_peer,
        f"{statistics.median(answer['get_seconds'] for answer in answers):.2f}",
        _megabytes(answers),
    ]


def _ask(side: str, videos: int, batch_size: int) -> dict[str, Any]:
    with Side(side, len(os.sched_getaffinity(0)), MODULES[side]) as process:
        return process.ask(videos=videos, batch_size=batch_size)


def _megabytes(answers: Sequence[Mapping[str, Any]]) -> str:
    return f"{max(answer['peak_bytes'] - answer['bytes_before'] for answer in answers) / 1e6:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
