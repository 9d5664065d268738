"""What an entry may say: its blocks as dataclasses, whose fields are the schema.

No field has a default: an entry leans on none. No key stands in two blocks, so that ``with batch_size=64`` needs
no prefix. The block ``model`` has no class here; its schema is the signature of the model that it names.
"""

from dataclasses import dataclass
from typing import Any, Literal

from experiments.errors import UserError


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
        initializer: ``published``, as the model's source has it, or ``torch_defaults``, for sources in torch.
        optimizer: by MXNet's name.
        optimizer_params: its other arguments, by MXNet's names.
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
    initializer: Literal["published", "torch_defaults"]
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
    select_by: Literal["hit_at_1", "perr", "gap", "mean_ap"]

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "log_interval", "valid_interval")
        if not self.learning_rate > 0:
            raise UserError(f"learning_rate={self.learning_rate} is not above 0")


@dataclass(frozen=True)
class Reference:
    """Numbers that somebody published.

    Attributes:
        source: where.
        split: on which split of the data.
        metrics: by our metrics' names, as fractions of 1.
        tolerance: how far a reproduction may be off, as a fraction of 1.
    """

    source: str
    split: str
    metrics: dict[str, float]
    tolerance: float


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
        text: the YAML as read, includes resolved.
    """

    name: str
    tags: list[str]
    model: dict[str, Any]
    data: Data
    training: Training
    references: list[Reference]
    deviations: list[str]
    text: str


def _at_least_one(block: Data | Training, *names: str) -> None:
    for name in names:
        value = getattr(block, name)
        if value is not None and value < 1:
            raise UserError(f"{name}={value} is not at least 1")
