"""Hit@1, PERR, GAP@20 and mAP of many videos: ``python -m benchmarks.metrics [--videos N,...] [--batch B,...]``.

Our `evaluation.MetricSet` beside the same four metrics as one would write them in PyTorch for speed (`torch.topk` of a
batch, the best 20 kept and sorted at the end), on random scores of 3862 classes, from the first batch to the values.
NumPy computes with one thread, PyTorch with one and, as a way of its own, with one a core: that is faster or, where
other programs run, much slower.
Rounds are interleaved, and each measurement is a process of its own, so that its memory is its own too. Both must
give the same values, or nothing is measured.
"""

import argparse
import itertools
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from benchmarks import arguments
from benchmarks.plot import Bar
from benchmarks.record import Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from experiments.errors import UserError
from experiments.threads import cores

PEER = "PyTorch"
MODULES = {OURS: "metrics_numpy", PEER: "metrics_torch"}
TOLERANCE = 1e-6
COMPARED_VIDEOS = 3000
COLUMNS = ("batch:", "videos:", "side", "videos/s:", "of the fastest peer's", "at the end, s:", "memory, MB:")

Answer = Mapping[str, Any]  # see `peers.scored.serve`


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("metrics", __doc__, rounds=3)
    videos = [10_000, 100_000]
    parser.add_argument("--videos", type=arguments.numbers, default=videos, help="numbers of them (10000,100000)")
    parser.add_argument("--batch", type=arguments.numbers, default=[128, 1024], help="batch sizes (128,1024)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    sides = list(dict.fromkeys([(OURS, 1), (PEER, 1), (PEER, cores())]))
    same([_ask(side, COMPARED_VIDEOS, given.batch[0]) for side in sides])
    record = Record("metrics", words, given.out)
    record.head(COLUMNS)
    total = len(given.batch) * len(given.videos) * given.rounds * len(sides)
    with tqdm(total=total, unit=" measurements", dynamic_ncols=True, delay=1) as bar:
        for batch_size, videos in itertools.product(given.batch, given.videos):
            found: dict[str, list[Answer]] = {}
            for _ in range(given.rounds):
                answers = []
                for side in sides:
                    answers.append(_ask(side, videos, batch_size))
                    record.add(batch_size=batch_size, videos=videos, threads=side[1], **answers[-1])
                    bar.update()
                same(answers)
                for (_, threads), answer in zip(sides, answers, strict=True):
                    name = f"{answer['framework']}, {threads} thread{'s' if threads > 1 else ''}"
                    found.setdefault(name, []).append(answer)
            bar.clear()
            for cells in rows(found):
                record.row([str(batch_size), f"{videos:,}", *cells])
            bars = [
                Bar(name, _values(own, "videos_per_second"), _megabytes(own) + " MB") for name, own in found.items()
            ]
            record.panel(f"batch {batch_size}, {videos:,} videos", "videos/s (most memory)", bars)
    record.say(f"\n{given.rounds} rounds: medians, [lowest, highest] of the pairs; the most memory of all rounds.")


def same(answers: Sequence[Answer]) -> None:
    """Raises a UserError where the metrics of one differ from the first's, ours, by more than rounding."""
    for answer, (name, value) in itertools.product(answers[1:], answers[0]["metrics"].items()):
        other = answer["metrics"][name]
        if not abs(value - other) <= TOLERANCE:
            raise UserError(f"{answer['framework']}: {name} is {other:.8f}, ours {value:.8f}: not the same metrics")


def rows(found: Mapping[str, Sequence[Answer]]) -> list[list[str]]:
    """The table's lines of one case but for its numbers.

    Args:
        found: what each side answered, once a round, ours first.
    """
    speeds = {name: _values(answers, "videos_per_second") for name, answers in found.items()}
    fastest = max(list(speeds)[1:], key=lambda name: statistics.median(speeds[name]))
    return [
        [
            name,
            f"{statistics.median(speeds[name]):,.0f}",
            "1" if name == fastest else spread(ratios(speeds[name], speeds[fastest])),
            f"{statistics.median(_values(answers, 'get_seconds')):.2f}",
            _megabytes(answers),
        ]
        for name, answers in found.items()
    ]


def _ask(side: tuple[str, int], videos: int, batch_size: int) -> Answer:
    framework, threads = side
    with Side(framework, threads, MODULES[framework]) as process:
        return process.ask(videos=videos, batch_size=batch_size)


def _values(answers: Sequence[Answer], name: str) -> list[float]:
    return [answer[name] for answer in answers]


def _megabytes(answers: Sequence[Answer]) -> str:
    return f"{max(_values(answers, 'peak_bytes')) / 1e6:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
