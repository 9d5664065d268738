"""The published nets at work, ours beside the same nets in PyTorch and Paddle.

``python -m benchmarks.models --mode train|predict [--model M,...] [--batch B,...] [--rounds N] [--seconds S]``

Training steps as a run takes them, or prediction from a batch of stored features to logits by each of our engines, on
random videos in memory, with all cores by the clock; or, where other programs run, ``--one-core`` by processor time.
Each way is a process of its own, so that its memory is its own too, and works by turns with the first way's, a round
after a round: what the host takes from the machine, it takes from both. What a process is to be measured by must give
the same logits as ours from the same weights.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tqdm import tqdm

from benchmarks import arguments, published
from benchmarks.peers.measuring import PLAIN, WHOLE, Case
from benchmarks.plot import Bar
from benchmarks.record import Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from experiments.threads import cores

ONNXRUNTIME = "onnxruntime"
TOLERANCE = 1e-4  # of the logits, as a share of the largest
BUSY = 0.7  # of the cores, below which something else must have had them
GEMM_SIZE = 2048  # rows of the matrices whose product is the limit
COLUMNS = (
    "model",
    "batch:",
    "framework",
    "way",
    "videos/s:",
    "of the fastest peer's",
    "memory, GB:",
    "of the GEMM limit:",
    "cores had:",
)

# Framework and way: each engine of ours, and of a peer's ways the fastest. Tried and left out, by processor time on one
# core: prediction in PyTorch without packed weights (0.6 to 0.75 of the speed with them) or compiled (as without), and
# in Paddle without its engine (0.75); PyTorch's optimizers that are not fused, and Paddle's static graph.
WAYS = {
    "train": [
        (OURS, "gluon"),
        (OURS, WHOLE),
        (OURS, PLAIN),
        ("PyTorch", "fused"),
        ("PyTorch", "compiled"),
        ("Paddle", "eager"),
    ],
    "predict": [
        (OURS, "gluon"),
        (OURS, PLAIN),
        (OURS, "mxnet"),
        (OURS, ONNXRUNTIME),
        ("PyTorch", "prepacked"),
        ("Paddle", "predictor"),
    ],
}


@dataclass
class Measured:
    """What one way to do a case's work was found to do, a value a round.

    Attributes:
        framework: one of `sides.FRAMEWORKS`.
        way: one of its ways.
        version: name and version of the framework, or of the engine that computes in its stead.
        speeds: videos a second.
        beside: the same of the first way, just before.
        memory: bytes of resident memory, at most.
        processors: that it had, on average.
        gflops: of a large matrix product, by the faster of the two sides.
    """

    framework: str
    way: str
    version: str = ""
    speeds: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    gflops: list[float] = field(default_factory=list)

    @property
    def of_first(self) -> list[float]:
        """The speeds as shares of the first way's."""
        return ratios(self.speeds, self.beside)

    def __str__(self) -> str:
        return f"{self.framework}:{self.way}"


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("models", __doc__, rounds=5)
    known = [f"{framework}:{way}" for ways in WAYS.values() for framework, way in ways]
    models = arguments.some_of(published.MODELS)
    parser.add_argument("--mode", choices=sorted(WAYS), required=True)
    parser.add_argument("--model", type=models, default=list(published.MODELS), help=",".join(published.MODELS))
    parser.add_argument("--batch", type=arguments.numbers, default=[32, 128, 256], help="batch sizes (32,128,256)")
    parser.add_argument("--ways", type=arguments.some_of(known), default=known, help=",".join(known))
    parser.add_argument("--seconds", type=arguments.seconds, default=1.0, help="a measurement, at least (%(default)s)")
    parser.add_argument("--one-core", action="store_true", help="one thread, by processor time: for a busy machine")
    given = parser.parse_args(words)
    usable = [f"{framework}:{way}" for framework, way in WAYS[given.mode]]
    if not set(given.ways) & set(usable):
        parser.error(f"argument --ways: to {given.mode} there are {', '.join(usable)}")
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    if given.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the children's too, but onnxruntime's
    ways = [own for own in WAYS[given.mode] if f"{own[0]}:{own[1]}" in given.ways]
    record = Record(given.mode, words, given.out)
    record.head(COLUMNS)
    cases = [(model, batch_size) for model in given.model for batch_size in given.batch]
    total = sum(_differs(way, *case) for case in cases for _, way in ways)
    had = float(cores())
    with tqdm(total=total, unit=" ways", dynamic_ncols=True) as bar:
        for model in given.model:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                with Side(OURS, cores()) as ours:
                    ours.save(published.case(model, given.mode, 1), folder)
                for batch_size in given.batch:
                    case = published.case(model, given.mode, batch_size)
                    found = [Measured(*own) for own in ways if _differs(own[1], model, batch_size)]
                    if not found:
                        continue
                    with Side(found[0].framework, cores()) as first:
                        _load(first, found[0], case, folder)
                        for own in found[1:] or found:
                            bar.set_description(f"{model}, batch {batch_size}, {own}")
                            _by_turns(first, found[0], own, case, folder, given, record)
                            bar.update()
                    bar.update(len(found) > 1)
                    bar.clear()
                    for cells in rows(found, case):
                        record.row(cells)
                    had = min(had, *(statistics.mean(own.processors) for own in found))
                    bars = [Bar(f"{own.version}, {own.way}", own.speeds, _share(own, case)) for own in found]
                    record.panel(f"{model}, batch {batch_size}", "videos/s (and the share of the GEMM limit)", bars)
    record.say(
        f"\n{given.rounds} rounds, in each of which a way works just after the first one: medians, [lowest, highest] "
        f"of the pairs. The limit is the product of matrices of {GEMM_SIZE} rows just after, by the faster of the two."
        f"{' One thread each; seconds are of processor time.' if given.one_core else ''}"
    )
    if had < BUSY * cores():
        record.say(f"The machine was busy: a way had {had:.1f} of {cores()} cores; --one-core is for such times.")


def _load(side: Side, own: Measured, case: Case, folder: Path) -> None:
    own.version = side.load(case, folder, [own.way], TOLERANCE)
    if own.way == ONNXRUNTIME:
        own.version = f"{ONNXRUNTIME} {metadata.version(ONNXRUNTIME)}"


def _differs(way: str, model: str, batch_size: int) -> bool:
    """Whether ``way`` is not what another one does for such a batch."""
    if way == WHOLE:
        return batch_size > published.AT_ONCE.get(model, batch_size)
    return way != PLAIN or model in published.WIDE


def _by_turns(
    first: Side, reference: Measured, own: Measured, case: Case, folder: Path, given: argparse.Namespace, record: Record
) -> None:
    """Rounds of ``reference``, whose side is ``first``, and then of ``own``, which may be the same."""
    speed = "videos_per_processor_second" if given.one_core else "videos_per_second"
    about = {"model": case.numbers["model"], "batch_size": case.batch_size, "threads": cores()}
    with contextlib.ExitStack() as stack:
        turns = [(reference, first)]
        if own is not reference:
            turns.append((own, stack.enter_context(Side(own.framework, cores()))))
            _load(turns[1][1], own, case, folder)
        for _ in range(given.rounds):
            answers = [side.ask(run=each.way, seconds=given.seconds, processor=given.one_core) for each, side in turns]
            limit = max(side.ask(gemm=GEMM_SIZE, processor=given.one_core)["gflops"] for _, side in turns)
            for (each, _), answer in zip(turns, answers, strict=True):
                each.speeds.append(answer[speed])
                each.beside.append(answers[0][speed])
                each.memory.append(answer["peak_bytes"])
                each.processors.append(answer["processors"])
                each.gflops.append(limit)
                record.add(**about, way=each.way, beside=str(own), gemm_gflops=limit, **answer)


def rows(found: Sequence[Measured], case: Case) -> list[list[str]]:
    """The table's lines of one case.

    Args:
        found: each way, the first one beside all others.
        case: what was computed.
    """
    peers = [own for own in found if own.framework != OURS] or list(found)
    fastest = max(peers, key=lambda own: statistics.median(own.of_first))
    usual = statistics.median(fastest.of_first)
    return [
        [
            f"`{case.numbers['model']}`",
            str(case.batch_size),
            own.version,
            own.way,
            f"{statistics.median(own.speeds):,.1f}",
            "1" if own is fastest else spread(_of_fastest(own, found[0], fastest, usual)),
            f"{max(own.memory) / 1e9:.1f}",
            _share(own, case),
            f"{statistics.mean(own.processors):.1f}",
        ]
        for own in found
    ]


def _of_fastest(own: Measured, first: Measured, fastest: Measured, usual: float) -> list[float]:
    """The first way has pairs with the fastest peer; the others share pairs with the first one."""
    return [1 / one for one in fastest.of_first] if own is first else [one / usual for one in own.of_first]


def _share(own: Measured, case: Case) -> str:
    """The work of a second, as a share of what the limit allowed just then."""
    return f"{statistics.median(ratios(own.speeds, own.gflops)) * published.flops(case) / 1e9:.0%}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
