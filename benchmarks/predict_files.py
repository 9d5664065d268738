"""1,000 videos from HDF5 to CSV in one process: ``python -m benchmarks.predict_files [--model M,...] [--rounds N]``.

The whole of ``run.py predict`` but its start, on synthetic videos of YouTube-8M's shape in the page cache, by nets of
the published sizes that nobody trained. What is not spent in the engine, from a batch's stored features to its logits,
is the Python side's: reading, choosing frames, the best classes, lines of CSV.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import arguments, nets, published
from benchmarks.inputs import synthetic_videos
from benchmarks.plot import Bar
from benchmarks.record import Record
from experiments import inference
from experiments.inference import Batch, engines
from experiments.inference.description import Description
from experiments.inference.engines import Engine
from experiments.trained import Trained

VIDEOS = 1000
BATCH_SIZE = 128
ENGINES = ("gluon", *engines.NAMES)
COLUMNS = ("model", "engine", "videos/s:", "seconds:", "in the engine:", "Python side")


class Timed:
    """An engine that knows how long it took.

    Args:
        engine: what computes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seconds = 0.0

    def __call__(self, batch: Batch) -> np.ndarray:
        """Logits (B, C)."""
        begin = time.perf_counter()
        logits = self._engine(batch)
        self.seconds += time.perf_counter() - begin
        return logits


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("predict_files", __doc__, rounds=3)
    models = arguments.some_of(published.MODELS)
    parser.add_argument("--model", type=models, default=list(published.MODELS), help=",".join(published.MODELS))
    engine = arguments.some_of(ENGINES)
    parser.add_argument("--engine", type=engine, default=list(ENGINES), help=",".join(ENGINES))
    parser.add_argument("--videos", type=arguments.number, default=VIDEOS, help="(%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    videos = synthetic_videos(given.videos)
    record = Record("predict_files", words, given.out)
    record.head(COLUMNS)
    for path in videos.iterdir():
        path.read_bytes()  # into the page cache
    for model in given.model:
        net = nets.untrained(published.case(model, "predict", BATCH_SIZE))
        timed = {name: Timed(_engine(net, name)) for name in given.engine}
        for engine in timed.values():
            _predict(synthetic_videos(1), net.description, engine, 1)  # MXNet makes its graph at the first video
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
        for _ in range(given.rounds):
            for name, engine in timed.items():
                found[name].append(own := _predict(videos, net.description, engine, given.videos))
                record.add(model=model, engine=name, videos=given.videos, seconds=own[0], engine_seconds=own[1])
        bars = []
        for name, seconds in found.items():
            totals, insides = zip(*seconds, strict=True)
            shares = [1 - inside / total for total, inside in seconds]
            record.row(
                [
                    f"`{model}`",
                    name,
                    f"{given.videos / statistics.median(totals):,.1f}",
                    f"{statistics.median(totals):.2f}",
                    f"{statistics.median(insides):.2f}",
                    f"{statistics.median(shares):.1%} [{min(shares):.1%}, {max(shares):.1%}]",
                ]
            )
            bars.append(Bar(name, [given.videos / total for total in totals], f"{statistics.median(shares):.1%}"))
        record.panel(model, "videos/s (of the time, Python side)", bars)
    record.say(
        f"\n{given.videos} videos in batches of {BATCH_SIZE}; {given.rounds} rounds: medians, [lowest, highest]."
    )


def _engine(net: Trained, name: str) -> Engine:
    if name == "gluon":
        return net.engine()
    with tempfile.TemporaryDirectory() as place:
        nets.write(net, Path(place))
        return engines.open_engine(name, Path(place), net.description)


def _predict(videos: Path, net: Description, engine: Timed, count: int) -> tuple[float, float]:
    """Seconds in all, and in the engine."""
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        output = Path(place) / "predictions.csv"
        before, begin = engine.seconds, time.perf_counter()
        inference.run(inference.Request(videos, output, batch_size=BATCH_SIZE), net, engine)
        total = time.perf_counter() - begin
        assert len(output.read_text().splitlines()) == count + 1
    return total, engine.seconds - before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
