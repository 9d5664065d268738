"""A recipe's optimizer and learning rate, as MXNet and GluonCV have them."""

from fnmatch import fnmatchcase

import mxnet as mx
from gluoncv.utils.lr_scheduler import LRScheduler
from mxnet import gluon

from experiments.errors import UserError
from experiments.registry.checks import unknown
from experiments.registry.schema import Training


def make_trainer(model: gluon.Block, recipe: Training) -> gluon.Trainer:
    """A trainer of ``model``'s parameters; those that the recipe exempts are not decayed.

    Raises:
        UserError: if MXNet has no such optimizer or it has no such argument, or a pattern names no parameter.
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
    numbers = {"learning_rate": recipe.learning_rate, "wd": recipe.weight_decay, **recipe.optimizer_params}
    try:
        optimizer = mx.optimizer.create(recipe.optimizer, **numbers)
    except TypeError as error:
        raise UserError(f"optimizer_params: {error}; they must be arguments of MXNet's {recipe.optimizer}") from error
    return gluon.Trainer(model.collect_params(), optimizer)


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
