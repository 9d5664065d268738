"""Our side: training steps as a run takes them, and prediction by each of its engines."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import measuring
from benchmarks.peers.measuring import Case, Counted, Epoch, Videos, Way
from experiments import registry, subnormals

subnormals.flush_to_zero()  # as run.py does it, before MXNet starts its threads

import mxnet as mx  # noqa: E402

from benchmarks import nets  # noqa: E402
from datasets.loader import SORTED_BATCHES, Batch, Loader  # noqa: E402
from datasets.video_dataset import VideoDataset  # noqa: E402
from experiments import inference, tasks  # noqa: E402
from experiments.inference import description, engines  # noqa: E402
from experiments.optimization import make_trainer  # noqa: E402
from experiments.trained import Trained  # noqa: E402
from experiments.training import LOSSES, update  # noqa: E402
from gluon_models import graphs  # noqa: E402

TORCH_NAMES = (
    ("attention.score", "score"),
    (r"forwards\._unfused\.0\.(i|h)2h_(\w+)", r"lstm.\2_\1h_l0"),
    (r"backwards\._unfused\.0\.(i|h)2h_(\w+)", r"lstm.\2_\1h_l0_reverse"),
)


class _NoTrainer:
    """Takes the place of a trainer that computes with float32 on this machine alone."""

    loss_scale = None
    on_servers = False
    adds_gradients = False

    def step(self, batch_size: float) -> None:
        """Does nothing."""


def save(case: Case, folder: Path, features: list[np.ndarray]) -> None:
    """A new net's weights and logits; for prediction, the net is exported too."""
    own = nets.untrained(case)
    weights = {_torch_name(name): values.data().asnumpy() for name, values in _parameters(own.net).items()}
    np.savez(folder / measuring.WEIGHTS, logits=_logits(own.net, features), **weights)
    if case.mode == "predict":
        nets.write(own, folder)


def make(case: Case, folder: Path, names: list[str], batches: list[Videos]) -> dict[str, Way]:
    """The ways to train or to predict."""
    return {name: (_training if case.mode == "train" else _prediction)(case, folder, name, batches) for name in names}


def gemm(matrix: np.ndarray) -> Callable[[], None]:
    """Through the operator of fully connected layers, MXNet's fastest."""
    own = mx.nd.array(matrix)

    def multiply() -> None:
        mx.nd.FullyConnected(own, own, no_bias=True, num_hidden=len(matrix)).wait_to_read()

    return multiply


def _training(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    net = _loaded(case, folder)
    net.hybridize(static_alloc=True, static_shape=True)
    if name == measuring.PLAIN:
        _plain(net)
    logits = _logits(net, [own[: measuring.CHECKED_VIDEOS] for own in batches[0].features])
    graphs.release(net)  # as a run does behind an evaluation
    _, data, recipe = registry.split(case.numbers)
    trainer: Any = _NoTrainer() if name == measuring.WITHOUT else make_trainer(nets.inside(net), recipe)
    loss_of = LOSSES[recipe.loss][0]()
    loss_of.hybridize(static_alloc=True)
    at_once = None if name == measuring.WHOLE else tasks.at_once(nets.inside(net), [mx.cpu()])
    if at_once and case.batch_size > at_once and name != measuring.WITHOUT:
        trainer.add_gradients()
    rows = np.arange(case.batch_size)
    given = [Batch(own.features, None, _many_hot(own.labels, case.classes), rows, case.batch_size) for own in batches]
    total = mx.nd.zeros(1)

    def train(batch: Batch) -> None:
        nonlocal total
        total += update(net, loss_of, trainer, batch, [mx.cpu()], recipe.loss_scale, at_once)

    def epoch(of: Epoch) -> Counted:
        graphs.release(net)  # those of the batches in memory, which have no lengths
        dataset, counted = VideoDataset.open(Path(of.folder), "train"), Counted()
        sorted_batches = SORTED_BATCHES if of.order == "sorted" else 1
        loader = Loader(dataset, case.batch_size, data.seg_num, training=True, sorted_batches=sorted_batches)
        for batch in itertools.islice(loader.epoch(of.number, of.first), of.count):
            train(batch)
            frames = max(own.shape[1] for own in batch.features)
            counted.add(np.full(len(batch.indices), frames) if batch.lengths is None else batch.lengths.max(1), frames)
        return counted

    return Way(lambda number: train(given[number % len(given)]), mx.nd.waitall, logits, epoch)


def _prediction(case: Case, folder: Path, name: str, batches: list[Videos]) -> Way:
    if name in ("gluon", measuring.PLAIN):
        net = _loaded(case, folder)
        if name == measuring.PLAIN:
            _plain(net)
        compute = Trained(net, nets.description(case)).engine()
    else:
        compute = engines.open_engine(name, folder, description.read(folder))
    names = [str(row) for row in range(case.batch_size)]
    lengths = np.full((case.batch_size, len(case.feature_dims)), case.frames, np.int32)  # (B, M)
    files = [Path()] * case.batch_size
    given = [inference.Batch(names, own.features, lengths, lengths, files) for own in batches]

    def step(number: int) -> None:
        compute(given[number % len(given)])

    return Way(step, lambda: None, compute(given[0]))


def _plain(net: mx.gluon.HybridBlock) -> None:
    """Let no layer know how many videos there are, so that it multiplies as Gluon's."""
    net.apply(lambda block: setattr(block, "_wants_rows", False))


def _parameters(net: mx.gluon.HybridBlock) -> dict[str, mx.gluon.Parameter]:
    return nets.inside(net)._collect_params_with_prefix()


def _loaded(case: Case, folder: Path) -> mx.gluon.HybridBlock:
    net, values = nets.create(case), measuring.saved(folder)
    for name, parameter in _parameters(net).items():
        parameter.initialize("zeros")
        parameter.set_data(mx.nd.array(values[_torch_name(name)]))
    return net


def _torch_name(name: str) -> str:
    for own, torchs in TORCH_NAMES:
        name = re.sub(own, torchs, name)
    return name


def _logits(net: mx.gluon.HybridBlock, features: list[np.ndarray]) -> np.ndarray:
    return net([mx.nd.array(own, dtype=own.dtype) for own in features]).asnumpy()  # (B, C)


def _many_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """As the loader gives them: (B, C) float32."""
    return labels if labels.ndim == 2 else np.eye(classes, dtype=np.float32)[labels]


if __name__ == "__main__":
    measuring.serve(f"MXNet {mx.__version__}", make, gemm, save)
