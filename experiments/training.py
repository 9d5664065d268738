"""The training loop: no Sacred and no configuration, explicit arguments."""

import zlib
from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from tqdm import tqdm

from datasets.loader import Batch, Loader
from evaluation import MetricSet
from experiments.checkpoint import Checkpoints
from experiments.errors import UserError
from experiments.optimization import make_schedule, make_trainer
from experiments.registry.schema import Training
from gluon_models import losses

Log = Callable[[str, float, int], None]  # name, value, step

# By a recipe's name: the loss of logits, and what makes probabilities of them.
LOSSES: dict[str, tuple[type[gluon.HybridBlock], Callable[[mx.nd.NDArray], mx.nd.NDArray]]] = {
    "softmax_cross_entropy": (losses.SoftmaxCrossEntropy, mx.nd.softmax),
    "sigmoid_cross_entropy": (losses.SigmoidCrossEntropy, mx.nd.sigmoid),
}


def fit(
    net: gluon.HybridBlock,
    train: Loader,
    valid: Loader,
    recipe: Training,
    contexts: list[mx.Context],
    checkpoints: Checkpoints,
    log: Log,
    seed: int,
) -> dict[str, float]:
    """Train ``net``, from the last of ``checkpoints`` if there is one.

    Randomness is derived from the seed, the epoch and the step, so that a run that goes on from a checkpoint does as
    one that was never stopped, to the last bit.

    Args:
        net: initialized and hybridized; called as ``net(features, lengths)``, returns logits.
        train: batches to train on.
        valid: batches to evaluate on.
        recipe: losses, optimizer, schedule, epochs.
        contexts: the devices.
        checkpoints: where the state is saved, after every epoch and, in long ones, within.
        log: is told ``train.loss`` (mean a video), ``train.videos_per_second`` and ``validate.<metric>``.
        seed: of dropout and of the order of videos.

    Returns:
        The metrics after the last epoch.
    """
    trainer = make_trainer(checkpoints.model, recipe)
    schedule = make_schedule(recipe, len(train))
    progress: dict[str, Any] = checkpoints.load_last(trainer) or {"epoch": 0, "step": 0, "best": -np.inf}
    metrics: dict[str, float] = progress.get("metrics", {})
    step, best = progress["step"], progress["best"]
    loss_of = LOSSES[recipe.loss][0]()
    loss_of.hybridize(static_alloc=True)
    for epoch in range(progress["epoch"], recipe.epochs):
        done = step - epoch * len(train)  # batches of this epoch, where a checkpoint lies within it
        seen = min(done * train.batch_size, len(train.dataset))
        with _bar(f"epoch {epoch + 1}/{recipe.epochs}", len(train.dataset), seen) as bar:
            interval = mx.nd.zeros(1, ctx=contexts[0])  # (1,) summed losses since the last record
            videos = 0
            for number, batch in enumerate(train.epoch(epoch, done), start=done):
                if number % recipe.log_interval == 0:
                    # MXNet's random state cannot be saved; here it is set anew, and so a checkpoint may be made here
                    mx.random.seed(zlib.crc32(f"{seed} {epoch} {number}".encode()))
                    if number > done and checkpoints.is_due():
                        checkpoints.save(epoch, trainer, {"step": step, "best": best, "metrics": metrics})
                trainer.set_learning_rate(schedule(step))
                interval += update(net, loss_of, trainer, batch, contexts, recipe.loss_scale)
                videos += batch.total
                step += 1
                if (number + 1) % recipe.log_interval == 0 or number + 1 == len(train):
                    loss = float(interval.asscalar()) / videos  # waits for the device: a NaN is seen here
                    if not np.isfinite(loss):
                        raise UserError(f"training: the loss is {loss} at step {step}; try a lower learning_rate")
                    log("train.loss", loss, step)
                    bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
                    interval[:] = 0
                    videos = 0
                bar.update(len(batch.indices))
            mx.nd.waitall()
        log("train.videos_per_second", (bar.n - seen) / bar.format_dict["elapsed"], step)
        complete = epoch + 1
        is_best = False
        if complete % recipe.valid_interval == 0 or complete == recipe.epochs:
            metrics = evaluate(net, valid, recipe.loss, contexts)
            for name, value in metrics.items():
                log(f"validate.{name}", value, step)
            is_best = metrics[recipe.select_by] > best
            best = max(best, metrics[recipe.select_by])
        checkpoints.save(complete, trainer, {"step": step, "best": best, "metrics": metrics}, is_best)
    return metrics


def evaluate(net: gluon.HybridBlock, loader: Loader, loss: str, contexts: list[mx.Context]) -> dict[str, float]:
    """The metrics of ``net`` over the whole of ``loader``'s data; ``loss`` says how logits become probabilities."""
    _, activation = LOSSES[loss]
    metrics = MetricSet()
    with _bar("evaluating", len(loader.dataset)) as bar:
        ahead: tuple[Batch, list[mx.nd.NDArray]] | None = None  # computed while the metrics take the one before
        for batch in loader.epoch():
            shares = _shares(batch, contexts)
            outputs = [activation(net(features, lengths)) for features, lengths, _ in shares]
            if ahead:
                _update(metrics, *ahead)
                bar.update(len(ahead[0].indices))
            ahead = batch, outputs
        if ahead:
            _update(metrics, *ahead)
            bar.update(len(ahead[0].indices))
    return metrics.get()


def update(
    net: gluon.HybridBlock,
    loss_of: gluon.HybridBlock,
    trainer: gluon.Trainer,
    batch: Batch,
    contexts: list[mx.Context],
    loss_scale: float,
) -> mx.nd.NDArray:
    """One step of training on ``batch``; its summed loss, (1,)."""
    totals = []
    shares = _shares(batch, contexts)
    if len(shares) < len(contexts):  # a device without a video would bring its last gradient again
        for parameter in trainer._params:
            parameter.zero_grad()
    with autograd.record():
        for features, lengths, labels in shares:
            totals.append(loss_of(net(features, lengths), labels).sum())
    autograd.backward(totals)
    trainer.step(batch.total / loss_scale)
    return sum(total.as_in_context(contexts[0]) for total in totals)


def _shares(
    batch: Batch, contexts: list[mx.Context]
) -> list[tuple[list[mx.nd.NDArray], mx.nd.NDArray | None, mx.nd.NDArray]]:
    """``batch`` cut into one piece a device: features, lengths, labels."""
    shares = []
    for rows, context in zip(np.array_split(np.arange(len(batch.indices)), len(contexts)), contexts, strict=True):
        if not len(rows):
            continue
        part = slice(rows[0], rows[-1] + 1)
        features = [mx.nd.array(array[part], ctx=context, dtype=array.dtype) for array in batch.features]
        lengths = None if batch.lengths is None else mx.nd.array(batch.lengths[part], ctx=context)
        shares.append((features, lengths, mx.nd.array(batch.labels[part], ctx=context)))
    return shares


def _update(metrics: MetricSet, batch: Batch, outputs: list[mx.nd.NDArray]) -> None:
    metrics.update(np.concatenate([output.asnumpy() for output in outputs]), batch.labels)


def _bar(title: str, videos: int, seen: int = 0) -> tqdm:
    return tqdm(desc=title, total=videos, initial=seen, unit=" videos", dynamic_ncols=True, mininterval=0.5)
