"""The training loop: no Sacred and no configuration, explicit arguments."""

import itertools
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from tqdm import tqdm

from datasets.loader import Batch, Loader
from evaluation import MetricSet
from experiments.checkpoint import Checkpoints
from experiments.collective import Collective
from experiments.errors import UserError
from experiments.optimization import make_schedule, make_server_schedule, make_trainer
from experiments.registry.schema import Training
from experiments.trainer import Trainer
from gluon_models import graphs, losses

GATHERED_VIDEOS = 1 << 13  # of each worker, at once: 2 MB of what the metrics keep

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
    job: Collective | None = None,
    at_once: int | None = None,
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
        job: the workers that train together, each on its share of ``train``; None for this process alone.
        at_once: videos that a device computes at once, at most; the gradients of its pieces of a batch are added up.
            None for all of its share.

    Returns:
        The metrics after the last epoch; of a job that cannot gather them, on the first worker alone.
    """
    job = job or Collective("device")
    trainer = make_trainer(checkpoints.model, recipe, job)
    if at_once and train.batch_size > at_once * len(contexts):
        trainer.add_gradients()
    schedule = make_schedule(recipe, len(train))
    progress: dict[str, Any] = checkpoints.load_last(trainer) or {"epoch": 0, "step": 0, "best": -np.inf}
    progress = job.share(progress)
    align(checkpoints.model, job)
    trainer.align()
    if trainer.loss_scale and "loss_scale" in progress:
        trainer.loss_scale.load(progress["loss_scale"])
    if job.is_async:
        trainer.optimizer.lr_scheduler = make_server_schedule(recipe, len(train), progress["step"], job.workers)
    metrics: dict[str, float] = progress.get("metrics", {})
    step, best = progress["step"], progress["best"]
    loss_of = LOSSES[recipe.loss][0]()
    loss_of.hybridize(static_alloc=True)
    for epoch in range(progress["epoch"], recipe.epochs):
        done = step - epoch * len(train)  # batches of this epoch, where a checkpoint lies within it
        seen = min(done * train.batch_size, len(train.dataset))
        started = time.monotonic()
        with _bar(f"epoch {epoch + 1}/{recipe.epochs}", len(train.dataset), job, seen) as bar:
            interval = mx.nd.zeros(1, ctx=contexts[0])  # (1,) summed losses since the last record
            videos = 0
            for number, batch in enumerate(train.epoch(epoch, done), start=done):
                if number % recipe.log_interval == 0:
                    # MXNet's random state cannot be saved; here it is set anew, and so a checkpoint may be made here
                    mx.random.seed(zlib.crc32(f"{seed} {epoch} {number}{job.rank or ''}".encode()))
                    if number > done and checkpoints.is_due():
                        checkpoints.save(epoch, trainer, {"step": step, "best": best, "metrics": metrics})
                if not job.is_async:
                    trainer.set_learning_rate(schedule(step))
                interval += update(net, loss_of, trainer, batch, contexts, recipe.loss_scale, at_once)
                videos += len(batch.indices)
                step += 1
                if (number + 1) % recipe.log_interval == 0 or number + 1 == len(train):
                    loss = _mean(float(interval.asscalar()), videos, job)  # waits for the device: a NaN is seen here
                    if loss is not None:
                        if not np.isfinite(loss):
                            raise UserError(f"training: the loss is {loss} at step {step}; try a lower learning_rate")
                        log("train.loss", loss, step)
                        bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
                    interval[:] = 0
                    videos = 0
                bar.update(batch.total)
            mx.nd.waitall()
        log("train.videos_per_second", (len(train.dataset) - seen) / (time.monotonic() - started), step)
        complete = epoch + 1
        is_best = False
        if complete % recipe.valid_interval == 0 or complete == recipe.epochs:
            graphs.release(net)  # evaluation's would stand beside it
            metrics = evaluate(net, valid, recipe.loss, contexts, job)
            for name, value in metrics.items():
                log(f"validate.{name}", value, step)
            if metrics:
                is_best = metrics[recipe.select_by] > best
                best = max(best, metrics[recipe.select_by])
        checkpoints.save(complete, trainer, {"step": step, "best": best, "metrics": metrics}, is_best)
    return metrics


def evaluate(
    net: gluon.HybridBlock, loader: Loader, loss: str, contexts: list[mx.Context], job: Collective | None = None
) -> dict[str, float]:
    """The metrics of ``net`` over the whole of ``loader``'s data; ``loss`` says how logits become probabilities.

    Devices and workers take whole batches by turns: cut in pieces, a batch would come out of the matrix products with
    other last digits than it has on one device. So the metrics are those of one device to the last bit. Where ``job``
    cannot gather them, the first worker takes all batches, and the others' metrics are empty.
    """
    job = job or Collective()
    _, activation = LOSSES[loss]
    metrics = MetricSet()
    if not (job.adds or job.is_first):
        return {}
    first, step = (job.rank, job.workers) if job.adds else (0, 1)
    with _bar("evaluating", len(loader.dataset), job) as bar:
        ahead: deque[tuple[Batch, mx.nd.NDArray]] = deque()  # computed while the metrics take those before
        for number, batch in enumerate(loader.epoch(first_batch=first, every=step)):
            features, lengths, _ = _on_device(batch, slice(None), contexts[number % len(contexts)])
            ahead.append((batch, activation(_logits(net, features, lengths))))
            if len(ahead) > len(contexts):
                _update(metrics, *ahead.popleft())
                bar.update(step * loader.batch_size)
        for own, outputs in ahead:
            _update(metrics, own, outputs)
        bar.update(len(loader.dataset) - bar.n)
    graphs.release(net)
    if job.workers == 1 or not job.adds:
        return metrics.get()
    whole = MetricSet()
    for states in job.gather_each(metrics.states(GATHERED_VIDEOS)):
        for state in states:
            whole.merge(state)
    return whole.get()


def align(model: gluon.Block, job: Collective) -> None:
    """Give every worker's ``model`` the values of the first one's."""
    for parameter in model.collect_params().values():
        arrays = parameter.list_data()
        job.align(arrays[:1])
        for other in arrays[1:]:
            arrays[0].copyto(other)


def update(
    net: gluon.HybridBlock,
    loss_of: gluon.HybridBlock,
    trainer: Trainer,
    batch: Batch,
    contexts: list[mx.Context],
    loss_scale: float,
    at_once: int | None = None,
) -> mx.nd.NDArray:
    """One step of training on ``batch``, ``at_once`` videos a device at a time; its summed loss, (1,).

    A trainer of more than one piece a device must add gradients, `Trainer.add_gradients`.
    """
    rounds = list(_rounds(batch, contexts, at_once))
    if trainer.adds_gradients or len(rounds[0]) < len(contexts):
        trainer.zero_gradients()
    loss = mx.nd.zeros(1, ctx=contexts[0])  # (1,)
    for pieces in rounds:
        arrays = [_on_device(batch, rows, context) for rows, context in pieces]
        with autograd.record():
            totals = [loss_of(_logits(net, features, lengths), labels).sum() for features, lengths, labels in arrays]
            scaled = trainer.loss_scale.scaled(totals) if trainer.loss_scale else totals
        if trainer.on_servers and totals:  # a step of this worker's own, by the mean over its share
            weight = loss_scale / len(batch.indices)
            autograd.backward(totals, [mx.nd.full(total.shape, weight, ctx=total.context) for total in totals])
        elif totals:
            autograd.backward(scaled)
        loss = sum((total.as_in_context(contexts[0]) for total in totals), start=loss)
    if not trainer.on_servers:
        trainer.step(batch.total / loss_scale)
    elif rounds[0]:
        trainer.step(1)
    return loss


def _logits(net: gluon.HybridBlock, features: list[mx.nd.NDArray], lengths: mx.nd.NDArray | None) -> mx.nd.NDArray:
    """In float32, whatever the net computes in: in float16 the sigmoids of good videos would all be 1."""
    return net(features, lengths).astype("float32", copy=False)  # (B, C)


Arrays = tuple[list[mx.nd.NDArray], mx.nd.NDArray | None, mx.nd.NDArray]  # features, lengths, labels


def _rounds(batch: Batch, contexts: list[mx.Context], at_once: int | None) -> Iterator[list[tuple[slice, mx.Context]]]:
    """The rows of ``batch`` for each device, as even as can be, in rounds of at most ``at_once`` a device.

    Devices without a video are left out; there is at least one round.
    """
    count = len(batch.indices)
    rounds = max(1, -(-count // (at_once * len(contexts)))) if at_once else 1
    pieces = rounds * len(contexts)
    ends = [count * number // pieces for number in range(pieces + 1)]
    rows = [slice(start, stop) for start, stop in itertools.pairwise(ends)]
    for first in range(0, pieces, len(contexts)):
        own = zip(rows[first:], contexts, strict=False)
        yield [(piece, context) for piece, context in own if piece.start < piece.stop]


def _on_device(batch: Batch, rows: slice, context: mx.Context) -> Arrays:
    features = [mx.nd.array(array[rows], ctx=context, dtype=array.dtype) for array in batch.features]
    lengths = None if batch.lengths is None else mx.nd.array(batch.lengths[rows], ctx=context)
    return features, lengths, mx.nd.array(batch.labels[rows], ctx=context)


def _mean(total: float, videos: float, job: Collective) -> float | None:
    """The mean loss of all workers' videos; where they cannot be summed, of this worker's; None of no videos."""
    if job.adds:
        own = np.array([total, videos])  # (2,)
        total, videos = np.sum([state["own"] for state in job.gather({"own": own})], axis=0).tolist()
    return total / videos if videos else None


def _update(metrics: MetricSet, batch: Batch, outputs: mx.nd.NDArray) -> None:
    metrics.update(outputs.asnumpy(), batch.labels)


def _bar(title: str, videos: int, job: Collective, seen: int = 0) -> tqdm:
    return tqdm(
        desc=title,
        total=videos,
        initial=seen,
        unit=" videos",
        dynamic_ncols=True,
        mininterval=0.5,
        disable=not job.is_first,
    )
