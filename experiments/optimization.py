"""A recipe's optimizer and learning rate, as MXNet and GluonCV have them."""

from fnmatch import fnmatchcase

import mxnet as mx
import numpy as np
from gluoncv.utils.lr_scheduler import LRScheduler
from mxnet import gluon

from experiments.collective import Collective
from experiments.errors import UserError
from experiments.registry.checks import unknown
from experiments.registry.schema import Training
from experiments.trainer import Trainer


def make_trainer(model: gluon.Block, recipe: Training, job: Collective | None = None) -> Trainer:
    """A trainer of ``model``'s parameters for ``job``; those that the recipe exempts are not decayed.

    Raises:
        UserError: if MXNet has no such optimizer, it cannot take a step with the recipe's numbers, or a pattern
            names no parameter.
    """
    for pattern in recipe.weight_decay_exempt:
        exempt = [own for name, own in model._collect_params_with_prefix().items() if fnmatchcase(name, pattern)]
        if not exempt:
            raise UserError(f"weight_decay_exempt: {pattern} names no parameter of {type(model).__name__}")
        for parameter in exempt:
            parameter.wd_mult = 0.0
    known = mx.optimizer.Optimizer.opt_registry
    if recipe.optimizer.lower() not in known:
        raise unknown("optimizer", recipe.optimizer, known, "training")
    _try(recipe)
    return Trainer(model, _optimizer(recipe), job or Collective("device"))


def _optimizer(recipe: Training) -> mx.optimizer.Optimizer:
    numbers = {"learning_rate": recipe.learning_rate, "wd": recipe.weight_decay, **recipe.optimizer_params}
    return mx.optimizer.create(recipe.optimizer, **numbers)


def _try(recipe: Training) -> None:
    """One step on one weight: MXNet looks at most of an optimizer's arguments only then."""
    weight, gradient = mx.nd.ones(1), mx.nd.ones(1)
    try:
        optimizer = _optimizer(recipe)
        optimizer.update(0, weight, gradient, optimizer.create_state(0, weight))
        reason = "" if np.isfinite(weight.asscalar()) else "it leads to no finite number"
    except (TypeError, ValueError, ArithmeticError, AssertionError, mx.MXNetError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[-1].partition(", in operator")[0]
    if reason:
        raise UserError(
            f"training: MXNet's {recipe.optimizer} cannot take a step with learning_rate={recipe.learning_rate}, "
            f"weight_decay={recipe.weight_decay}, optimizer_params={recipe.optimizer_params}: {reason}"
        )


def make_schedule(recipe: Training, steps_per_epoch: int) -> LRScheduler:
    """The learning rate by step, counted from 0: ``schedule(step)``."""
    return LRScheduler(
        "step",
        base_lr=recipe.learning_rate,
        nepochs=recipe.epochs,
        iters_per_epoch=steps_per_epoch,
        step_epoch=recipe.lr_decay_epochs,
        step_factor=recipe.lr_decay_factor,
    )


def make_server_schedule(
    recipe: Training, steps_per_epoch: int, step: int, workers: int
) -> mx.lr_scheduler.LRScheduler:
    """The same for an optimizer on the servers of dist_async, which counts every worker's steps, from ``step`` on.

    MXNet's own, as the servers know nothing of this package.
    """
    ends = [epoch * steps_per_epoch for epoch in recipe.lr_decay_epochs]
    rate = recipe.learning_rate * recipe.lr_decay_factor ** sum(end <= step for end in ends)
    later = [(end - step) * workers for end in ends if end > step]
    if not later:
        return mx.lr_scheduler.FactorScheduler(2**31, base_lr=rate)
    return mx.lr_scheduler.MultiFactorScheduler(later, factor=recipe.lr_decay_factor, base_lr=rate)
