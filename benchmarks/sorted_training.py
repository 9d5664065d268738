"""Is training worse for sorting videos by length? ``python -m benchmarks.sorted_training [--seeds N] [--epochs N]``.

A small AttentionLSTM on synthetic videos that can be learnt, 12 to 30 frames, a tenth of YouTube-8M's: for each seed
once with batches of videos of like length, as a run has them, and once with random ones, from the same first weights.
The learning rate falls after the fifth and the eighth epoch, as in the published recipe. What is printed is GAP on
other videos after the last epoch.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np
from tqdm import tqdm

from benchmarks import arguments, published
from benchmarks.plot import Bar
from benchmarks.record import Record
from datasets import synthetic
from datasets.loader import SORTED_BATCHES, Loader
from datasets.video_dataset import VideoDataset
from experiments import registry
from experiments.optimization import make_schedule, make_trainer
from experiments.training import LOSSES, evaluate, update
from gluon_models import zoo
from gluon_models.dequantize import Dequantized

SHAPE = synthetic.Shape({"rgb": 64, "audio": 16}, 1 / np.arange(1, 41), mean_labels=2.0, shortest=12, longest=30)
BATCH_SIZE = 16
SIZES = {"embedding_size": 32, "lstm_size": 32, "hidden_units": [64]}
# Random videos of SORTED_BATCHES batches are sorted together, here as there.
ORDERS = {"sorted": SORTED_BATCHES, "random": 1}


def main(words: list[str]) -> int:
    """Train and print; the exit code."""
    parser = arguments.parser("sorted_training", __doc__)
    parser.add_argument("--videos", type=arguments.number, default=4096, help="to train on (%(default)s)")
    parser.add_argument("--seeds", type=arguments.number, default=3, help="(%(default)s)")
    parser.add_argument("--epochs", type=arguments.number, default=10, help="(%(default)s)")
    parser.add_argument("--learning-rate", type=arguments.seconds, default=0.002, help="at first (%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    record = Record("sorted_training", words, given.out)
    record.head(["seed:", *(f"GAP, {order}:" for order in ORDERS), "difference:"])
    found: dict[str, list[float]] = {order: [] for order in ORDERS}
    with (
        tempfile.TemporaryDirectory() as place,
        tqdm(total=given.seeds * len(ORDERS) * given.epochs, unit=" epochs", dynamic_ncols=True) as bar,
    ):
        folder = Path(place)
        for split, videos in (("train", given.videos), ("validate", max(BATCH_SIZE, given.videos // 2))):
            synthetic.write_split(folder, SHAPE, split, videos, seed=0)
        for seed in range(given.seeds):
            for order, own in found.items():
                own.append(_gap(folder, seed, order, given, bar))
                record.add(seed=seed, order=order, gap=own[-1], epochs=given.epochs, videos=given.videos)
            bar.clear()
            in_order, random = (own[-1] for own in found.values())
            record.row([str(seed), f"{in_order:.4f}", f"{random:.4f}", f"{in_order - random:+.4f}"])
    means = [statistics.mean(own) for own in found.values()]
    spreads = [max(own) - min(own) for own in found.values()]
    record.row(["mean", *(f"{own:.4f}" for own in means), f"{means[0] - means[1]:+.4f}"])
    record.row(["highest - lowest", *(f"{own:.4f}" for own in spreads), ""])
    bars = [Bar(order, own) for order, own in found.items()]
    record.panel(f"{given.videos} videos, {given.epochs} epochs", "GAP, a value a seed", bars)
    record.say(f"\n{given.videos} videos, {given.epochs} epochs, batches of {BATCH_SIZE}.")


def _gap(folder: Path, seed: int, order: str, given: argparse.Namespace, bar: tqdm) -> float:
    train, valid = (VideoDataset.open(folder, split) for split in ("train", "validate"))
    numbers = registry.flatten(registry.load(published.entry("attention_lstm")))
    sizes, data, recipe = registry.split({**numbers, **SIZES, "learning_rate": given.learning_rate, "loss_scale": 1.0})
    mx.random.seed(seed)
    np.random.seed(seed)  # MXNet's initializers draw from either
    model = zoo.create(numbers["model"], feature_dims=train.feature_dims, num_classes=train.num_classes, **sizes)
    model.initialize()
    net = Dequantized(model, train.ranges)
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = make_trainer(model, recipe)
    loss_of = LOSSES[recipe.loss][0]()
    loss_of.hybridize(static_alloc=True)
    loader = Loader(train, BATCH_SIZE, data.seg_num, training=True, seed=seed, sorted_batches=ORDERS[order])
    schedule = make_schedule(recipe, len(loader))
    for epoch in range(given.epochs):
        bar.set_description(f"seed {seed}, {order}")
        for step, batch in enumerate(loader.epoch(epoch), start=epoch * len(loader)):
            trainer.set_learning_rate(schedule(step))
            update(net, loss_of, trainer, batch, [mx.cpu()], recipe.loss_scale)
        mx.nd.waitall()
        bar.update()
    return evaluate(net, Loader(valid, BATCH_SIZE, data.seg_num, training=False), recipe.loss, [mx.cpu()])["gap"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
