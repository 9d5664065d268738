"""Can the loader keep up? ``python -m benchmarks.loading [--videos N] [--rounds N]``.

For both YouTube-8M experiments, on synthetic videos of their shape, in the page cache: the loader alone (one thread,
without prefetch), a plain copy of the same bytes, training steps of the model alone on a batch at hand, and both
together as a run has them. Rounds are interleaved; the medians count.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import mxnet as mx
import numpy as np

from datasets import synthetic
from datasets.loader import Batch, Loader, _Memory
from datasets.video_dataset import VideoDataset
from experiments import ROOT, registry
from experiments.optimization import make_trainer
from experiments.training import LOSSES, _step
from gluon_models import zoo
from gluon_models.dequantize import Dequantized

# Experiment, batch size: one device's share, smaller for AttentionLSTM, whose step takes seconds.
CASES = {"attention_cluster_youtube8m": 256, "attention_lstm_youtube8m": 32}
MODEL_STEPS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "bench_youtube8m")
    given = parser.parse_args()
    if not any(given.folder.glob("*.h5")):
        synthetic.write_split(given.folder, synthetic.youtube8m(), "train", given.videos, seed=0)
    dataset = VideoDataset.open(given.folder, "train")
    print(f"{len(dataset)} videos, {given.rounds} rounds, medians [min, max]\n")
    for experiment, batch_size in CASES.items():
        _case(experiment, batch_size, dataset, given.rounds)


def _case(experiment: str, batch_size: int, dataset: VideoDataset, rounds: int) -> None:
    arguments, data, recipe = registry.split(registry.flatten(registry.load(experiment)))
    loader = Loader(dataset, batch_size, data.seg_num, training=True)
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
    at_hand = Batch([frames.copy() for frames in at_hand.features], *_rest(at_hand))

    def step(batch: Batch) -> None:
        _step(net, loss_of, trainer, batch, [mx.cpu()], recipe.loss_scale)
        mx.nd.waitall()

    def loader_alone() -> int:
        order, memory = np.random.default_rng(0).permutation(len(dataset)), _Memory()
        return sum(len(loader._batch(order, 0, start, memory).indices) for start in range(0, len(dataset), batch_size))

    def plain_copy() -> int:
        """As many bytes, in the order in which they lie in memory."""
        videos = 0
        for shard in dataset.shards:
            for name, frames in shard.features.items():
                counts = np.diff(shard.offsets[name]) if data.seg_num is None else np.full(len(shard), data.seg_num)
                rows = int(counts[:batch_size].sum())
                target = buffers.setdefault(name, np.empty((2 * rows, frames.shape[1]), frames.dtype))
                for start in range(0, int(counts.sum()) - rows, rows):
                    np.copyto(target[:rows], frames[start : start + rows])
            videos += len(shard)
        return videos

    def model_alone() -> int:
        for _ in range(MODEL_STEPS):
            step(at_hand)
        return MODEL_STEPS * batch_size

    def both() -> int:
        videos = 0
        for batch in loader.epoch():
            step(batch)
            videos += len(batch.indices)
            if videos >= MODEL_STEPS * batch_size:
                return videos
        return videos

    buffers: dict[str, np.ndarray] = {}
    step(at_hand)
    measured: dict[str, list[float]] = {}
    parts: dict[str, Callable[[], int]] = {
        "loader alone": loader_alone,
        "plain copy": plain_copy,
        "model alone": model_alone,
        "both together": both,
    }
    for _ in range(rounds):
        for name, part in parts.items():
            start = time.perf_counter()
            videos = part()
            measured.setdefault(name, []).append(videos / (time.perf_counter() - start))
    print(f"{experiment}, batch {batch_size}, {data.seg_num or 'all'} frames")
    print(f"  {'':14}{'videos/s':>10}{'batches/s':>11}   spread")
    for name, rates in measured.items():
        middle = statistics.median(rates)
        print(f"  {name:14}{middle:>10,.0f}{middle / batch_size:>11,.1f}   [{min(rates):,.0f}, {max(rates):,.0f}]")
    pairs = [a / b for a, b in zip(measured["loader alone"], measured["plain copy"], strict=True)]
    together = [a / b for a, b in zip(measured["both together"], measured["model alone"], strict=True)]
    print(f"  loader / copy {statistics.median(pairs):.0%}, both / model {statistics.median(together):.0%}\n")


def _rest(batch: Batch) -> tuple:
    return batch.lengths, batch.labels, batch.indices


if __name__ == "__main__":
    main()
