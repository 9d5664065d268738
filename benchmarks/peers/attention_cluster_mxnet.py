"""Our side: steps of training as a run of an entry's cell takes them."""

from typing import Any

import numpy as np

from benchmarks.peers import measuring
from experiments import registry, subnormals

subnormals.flush_to_zero()  # as run.py does it, before MXNet starts its threads

import mxnet as mx  # noqa: E402

from datasets.loader import Batch  # noqa: E402
from experiments.optimization import make_trainer  # noqa: E402
from experiments.training import LOSSES, update  # noqa: E402
from gluon_models import zoo  # noqa: E402


class _NoTrainer:
    """Takes the place of a trainer."""

    def step(self, batch_size: float) -> None:
        """Does nothing."""


def make(numbers: dict[str, Any], path: str) -> tuple[dict[str, measuring.Train], float]:
    """The cell's net and trainer; ``path`` gets its weights, by torch's names, and its logits of the first batch."""
    arguments, data, recipe = registry.split(numbers)
    net = zoo.create(
        numbers["model"], feature_dims={"image": measuring.DIM}, num_classes=measuring.CLASSES, **arguments
    )
    net.initialize()
    net.hybridize(static_alloc=True)
    trainer = make_trainer(net, recipe)
    loss_of = LOSSES[recipe.loss][0]()
    loss_of.hybridize(static_alloc=True)

    frames, classes = measuring.videos(data.batch_size)  # (S, B, T, F), (S, B)
    rows = np.arange(data.batch_size)
    labels = np.eye(measuring.CLASSES, dtype=np.float32)[classes]  # (S, B, C)
    batches = [
        Batch([own], None, own_labels, rows, data.batch_size) for own, own_labels in zip(frames, labels, strict=True)
    ]
    logits = net([mx.nd.array(frames[0])]).asnumpy()  # (B, C)
    weights = {
        name.removeprefix("cluster_image.").removeprefix("attention."): parameter.data().asnumpy()
        for name, parameter in net._collect_params_with_prefix().items()
    }
    np.savez(path, logits=logits, **weights)

    def way(optimizer: Any) -> measuring.Train:
        total, step = mx.nd.zeros(1), 0

        def train(steps: int) -> None:
            nonlocal total, step
            for _ in range(steps):
                total += update(net, loss_of, optimizer, batches[step % len(batches)], [mx.cpu()], recipe.loss_scale)
                step += 1
            mx.nd.waitall()

        return train

    return {"MXNet": way(trainer), measuring.WITHOUT: way(_NoTrainer())}, 0.0


if __name__ == "__main__":
    measuring.serve(f"MXNet {mx.__version__}", make)
