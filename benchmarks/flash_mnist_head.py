"""Training the head of the Flash-MNIST table, ours beside the same head written in PyTorch.

``python -m benchmarks.flash_mnist_head [--clusters 1,8,32,128] [--rounds N] [--seconds S]``

One step after the other on one core, as a cell of ``make reproduce-paper`` has it, on random videos in memory: ours
through `experiments.training.update`, PyTorch's with either of its Adams, of which the faster counts. Rounds are
interleaved. Seconds are of processor time, the clock's where nothing else runs on that core.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import arguments
from benchmarks.peers.measuring import WITHOUT, Case
from benchmarks.plot import Bar
from benchmarks.record import Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from experiments import registry

ENTRY = "flash_mnist_table"
PEER = "PyTorch"
COLUMNS = ("no_shift_fc1", "shift_fc1")
# torch.compile is left out: at these sizes it is no faster (N = 1 to 32: 0.73 to 1.01 of the speed without it) and
# takes 4 to 34 seconds a net, and Adam's third implementation, foreach, was never the fastest.
WAYS = {OURS: ("gluon", WITHOUT), PEER: ("default", "fused", WITHOUT)}
TOLERANCE = 1e-5  # of the logits, as a share of the largest

Speeds = dict[str, list[float]]  # videos a second by the way to train, one a round


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("flash_mnist_head", __doc__, rounds=3)
    parser.add_argument("--clusters", type=arguments.numbers, default=[1, 8, 32, 128], help="values of N (1,8,32,128)")
    parser.add_argument("--seconds", type=arguments.seconds, default=0.3, help="a measurement, at least (%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def case_of(column: str, units: int) -> Case:
    """A cell of the table."""
    entry = registry.load(ENTRY)
    assert entry.grid is not None
    numbers = {**registry.flatten(entry), **entry.grid.updates(column, units)}
    return Case(
        mode="train",
        numbers=numbers,
        batch_size=numbers["batch_size"],
        frames=25,
        feature_dims={"image": 50},
        ranges={},
        classes=1024,
        single_label=True,
        steps=10,
    )


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the children's too
    shares: list[float] = []
    record = Record("flash_mnist_head", words, given.out)
    with Side(OURS, threads=1) as ours, Side(PEER, threads=1) as peer:
        both = {ours: WAYS[OURS], peer: WAYS[PEER]}
        for number, (units, column) in enumerate(itertools.product(given.clusters, COLUMNS)):
            case = case_of(column, units)
            with tempfile.TemporaryDirectory() as place:
                ours.save(case, Path(place))
                versions = [side.load(case, Path(place), ways, TOLERANCE) for side, ways in both.items()]
            if number == 0:
                speed = [f"{own}, videos/s:" for own in versions]
                record.head(["N:", "column", *speed, "its fastest", "ours / PyTorch", "of the time, Adam"])
            speeds: dict[Side, Speeds] = {side: {way: [] for way in ways} for side, ways in both.items()}
            for _ in range(given.rounds):
                for side, by_way in speeds.items():
                    for way, measured in by_way.items():
                        answer = side.ask(run=way, seconds=given.seconds, processor=True)
                        record.add(column=column, units=units, way=way, **answer)
                        measured.append(answer["videos_per_processor_second"])
                        shares.append(answer["processors"])
            record.row(row(units, column, speeds[ours], speeds[peer]))
            fastest = [own[_fastest(own)] for own in speeds.values()]
            record.panel(f"N = {units}, {column}", "videos/s", list(map(Bar, versions, fastest)))
    record.say(
        f"\n{given.rounds} rounds: medians, [lowest, highest] of the pairs. Seconds are of processor time; by the\n"
        f"clock the processes had {statistics.mean(shares):.0%} of their core, other programs the rest."
    )


def row(units: int, column: str, ours: Speeds, peer: Speeds) -> list[str]:
    """The table's line of one cell."""
    own, other = _fastest(ours), _fastest(peer)
    medians = [f"{statistics.median(speeds):,.0f}" for speeds in (ours[own], peer[other])]
    adam = [1 - statistics.median(ratios(side[way], side[WITHOUT])) for side, way in ((ours, own), (peer, other))]
    pairs = spread(ratios(ours[own], peer[other]))
    return [str(units), f"`{column}`", *medians, other, pairs, f"{adam[0]:.0%}, PyTorch's {adam[1]:.0%}"]


def _fastest(speeds: Speeds) -> str:
    return max((way for way in speeds if way != WITHOUT), key=lambda way: statistics.median(speeds[way]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
