"""Can the loader keep up? ``python -m benchmarks.loading [--videos N] [--rounds N]``.

For both YouTube-8M experiments, on synthetic videos of their shape, in the page cache: the loader alone with one and
with two threads, a plain copy of as many bytes into memory used as the loader uses its own, training steps of the
model alone on a batch at hand, and both together as a run has them. Rounds are interleaved; the medians count.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import mxnet as mx
import numpy as np

from datasets import synthetic
from datasets.loader import PREFETCHED_BATCHES, Batch, Loader
from datasets.video_dataset import VideoDataset
from experiments import ROOT, registry
from experiments.optimization import make_trainer
from experiments.training import LOSSES, update
from gluon_models import zoo
from gluon_models.dequantize import Dequantized

# Experiment, batch size: one device's share, smaller for AttentionLSTM, whose step takes seconds.
CASES = {"attention_cluster_youtube8m": 256, "attention_lstm_youtube8m": 32}
MODEL_STEPS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    folder = ROOT / "data" / f"bench_youtube8m_{given.videos}"
    if not folder.exists():
        synthetic.write_split(folder, synthetic.youtube8m(), "train", given.videos, seed=0)
    dataset = VideoDataset.open(folder, "train")
    print(f"{len(dataset)} videos, {given.rounds} rounds, medians [min, max]\n")
    for experiment, batch_size in CASES.items():
        _case(experiment, batch_size, dataset, given.rounds)


def _case(experiment: str, batch_size: int, dataset: VideoDataset, rounds: int) -> None:
    arguments, data, recipe = registry.split(registry.flatten(registry.load(experiment)))
    loader, two_threads = (Loader(dataset, batch_size, data.seg_num, True, workers=workers) for workers in (1, 2))
    model = zoo.create(
        registry.load(experiment).model["name"],
        feature_dims=dataset.feature_dims,
        num_classes=dataset.num_classes,
        **arguments,
    )
    model.initialize()
    net = Dequantized(model, dataset.ranges)
    net.hybridize(static_alloc=True)
    trainer = make_trainer(model, recipe)
    loss_of = LOSSES[recipe.loss][0]()
    at_hand = next(iter(loader.epoch()))
    at_hand = replace(at_hand, features=[frames.copy() for frames in at_hand.features])

    def ignore(batch: Batch) -> None:
        pass

    def use(batch: Batch) -> None:
        update(net, loss_of, trainer, batch, [mx.cpu()], recipe.loss_scale)
        mx.nd.waitall()

    parts: dict[str, Callable[[], float]] = {
        "loader alone": lambda: _rate(_warm(loader), ignore),
        "two threads": lambda: _rate(_warm(two_threads), ignore),
        "plain copy": lambda: _copy_rate(dataset, batch_size, data.seg_num),
        "model alone": lambda: _rate(itertools.repeat(at_hand, MODEL_STEPS), use),
        "both together": lambda: _rate(itertools.islice(loader.epoch(), MODEL_STEPS), use),
    }
    use(at_hand)
    for _ in loader.epoch():  # brings the files into the page cache
        pass
    measured: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, part in parts.items():
            measured[name].append(part())
    print(f"{experiment}, batch {batch_size}, {data.seg_num or 'all'} frames")
    print(f"  {'':14}{'videos/s':>10}{'batches/s':>11}   spread")
    for name, rates in measured.items():
        middle = statistics.median(rates)
        print(f"  {name:14}{middle:>10,.0f}{middle / batch_size:>11,.1f}   [{min(rates):,.0f}, {max(rates):,.0f}]")
    for above, below in (
        ("loader alone", "plain copy"),
        ("two threads", "plain copy"),
        ("both together", "model alone"),
    ):
        pairs = [a / b for a, b in zip(measured[above], measured[below], strict=True)]
        print(f"  {above} / {below}: {statistics.median(pairs):.0%}")
    print()


def _warm(loader: Loader) -> Iterator[Batch]:
    """Batches of an epoch from where their memory has been used once."""
    batches = loader.epoch()
    for _ in range(loader.workers * PREFETCHED_BATCHES + 1):
        next(batches)
    return batches


def _copy_rate(dataset: VideoDataset, batch_size: int, seg_num: int | None) -> float:
    """Videos a second if all of a batch's bytes lay in one piece."""
    total_frames = sum(len(frames) for frames in next(iter(dataset.frames.values())))
    rows = batch_size * (seg_num or total_frames // len(dataset))
    pieces = [
        [frames[shard][start : start + rows] for frames in dataset.frames.values()]
        for shard, first in enumerate(next(iter(dataset.frames.values())))
        for start in range(0, len(first) - rows, rows)
    ]
    memory = [[np.zeros_like(piece) for piece in pieces[0]] for _ in range(PREFETCHED_BATCHES + 1)]
    begin = time.perf_counter()
    for targets, sources in zip(itertools.cycle(memory), pieces, strict=False):
        for target, source in zip(targets, sources, strict=True):
            np.copyto(target, source)
    return len(pieces) * batch_size / (time.perf_counter() - begin)


def _rate(batches: Iterable[Batch], use: Callable[[Batch], None]) -> float:
    """Videos a second, each batch used once."""
    videos, begin = 0, time.perf_counter()
    for batch in batches:
        use(batch)
        videos += len(batch.indices)
    return videos / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
