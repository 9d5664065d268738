"""What an entry may say: its blocks as dataclasses, whose fields are the schema.

No field has a default: an entry leans on none. No key stands in two blocks, so that ``with batch_size=64`` needs
no prefix. The block ``model`` has no class here; its schema is the signature of the model that it names.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from experiments.errors import UserError
from experiments.registry.checks import unknown
from experiments.registry.grid import Grid

Metric = Literal["hit_at_1", "perr", "gap", "mean_ap"]
# An optimizer's arguments that have a key of their own, by which alone they are given.
OWN_KEYS = {"learning_rate": "learning_rate", "wd": "weight_decay", "rescale_grad": "loss_scale"}


@dataclass(frozen=True)
class Data:
    """What is read and how.

    Attributes:
        dataset: its folder below ``runtime.data_root``; ``python -m experiments prepare NAME`` makes it.
        train_split, valid_split: the files ``<split>-*.h5`` to train on and to evaluate on.
        seg_num: frames a video, one from each of so many segments; null for all frames, padded.
        batch_size: videos a step, over all devices.
    """

    dataset: str
    train_split: str
    valid_split: str
    seg_num: int | None
    batch_size: int

    def __post_init__(self) -> None:
        _at_least_one(self, "seg_num", "batch_size")


@dataclass(frozen=True)
class Training:
    """The recipe.

    Attributes:
        loss: ``softmax_cross_entropy`` for videos of one label, ``sigmoid_cross_entropy`` (over classes, summed) else.
        loss_scale: what the mean over the batch is multiplied by; a source that takes a device's sum and averages
            over devices has the videos of a device here.
        initializer: ``published``, as the model's source has it; ``torch_defaults``, for sources in torch;
            ``fluid_defaults``, for those in Paddle's Fluid that leave it to the framework.
        optimizer: by MXNet's name.
        optimizer_params: its other arguments, all numbers, by MXNet's names.
        learning_rate: at the start.
        lr_decay_epochs, lr_decay_factor: the rate is multiplied by the factor after each of these epochs.
        weight_decay: L2 coefficient, as MXNet applies it (added to the gradient).
        weight_decay_exempt: patterns of the names of parameters without it, such as ``classifier.bias``.
        epochs: passes over the training split.
        log_interval: steps between records of the training loss.
        valid_interval: epochs between evaluations; the last epoch is always evaluated.
        select_by: the metric that names the best checkpoint.
    """

    loss: Literal["softmax_cross_entropy", "sigmoid_cross_entropy"]
    loss_scale: float
    initializer: Literal["published", "torch_defaults", "fluid_defaults"]
    optimizer: str
    optimizer_params: dict[str, Any]
    learning_rate: float
    lr_decay_epochs: list[int]
    lr_decay_factor: float
    weight_decay: float
    weight_decay_exempt: list[str]
    epochs: int
    log_interval: int
    valid_interval: int
    select_by: Metric

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "log_interval", "valid_interval")
        for name in ("learning_rate", "loss_scale", "lr_decay_factor"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UserError(f"{name}={value} is not above 0 and finite")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay={self.weight_decay} is not at least 0 and finite")
        if not all(before < after for before, after in pairwise([0, *self.lr_decay_epochs])):
            raise UserError(f"lr_decay_epochs={self.lr_decay_epochs} do not rise from 1 on")
        for name, value in self.optimizer_params.items():
            if name in OWN_KEYS:
                raise UserError(f"optimizer_params: {name} is given by the key {OWN_KEYS[name]}, not here")
            if not (isinstance(value, int | float) and -math.inf < value < math.inf):
                raise UserError(f"optimizer_params: {name}={value!r} is not a number")


@dataclass(frozen=True)
class Reference:
    """Numbers that somebody published.

    Attributes:
        source: where.
        split: on which split of the data.
        metrics: by our metrics' names, as fractions of 1: a number, or, where the entry has a grid, by a column's
            name one for each row.
        tolerance: how far a reproduction may be off, as a fraction of 1; never more than half of a value, so that
            what has learnt nothing reproduces none.
    """

    source: str
    split: str
    metrics: dict[str, float | dict[str, list[float]]]
    tolerance: float

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if name not in get_args(Metric):
                raise unknown("metric", name, get_args(Metric), "references")
            for number in [value] if not isinstance(value, dict) else [own for row in value.values() for own in row]:
                if not 0 <= number <= 1:
                    raise UserError(f"references: {name}={number} is not a fraction of 1")
        if not 0 < self.tolerance < 1:
            raise UserError(f"references: tolerance={self.tolerance} is not a fraction of 1, above 0")


@dataclass(frozen=True)
class Entry:
    """One experiment.

    Attributes:
        name: the file's name without its ending.
        tags: words to find it by.
        model: ``name`` and every argument of that model but those the data decide.
        data, training: see there.
        references: published numbers to hold the result against.
        deviations: where we knowingly differ from the source.
        grid: the table of runs that the entry stands for; None for one run.
        text: the YAML as read, includes resolved.
    """

    name: str
    tags: list[str]
    model: dict[str, Any]
    data: Data
    training: Training
    references: list[Reference]
    deviations: list[str]
    grid: Grid | None
    text: str


def _at_least_one(block: Data | Training, *names: str) -> None:
    for name in names:
        value = getattr(block, name)
        if value is not None and value < 1:
            raise UserError(f"{name}={value} is not at least 1")
