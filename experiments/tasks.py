"""What a run does: data, model and recipe brought together. No Sacred; the configuration is handed in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import gluon

from datasets.loader import Loader
from datasets.video_dataset import VideoDataset
from experiments import registry, training, weights
from experiments.checkpoint import Checkpoints
from experiments.configuration import GIVEN_BY_DATA, numbers_of
from experiments.data import notes_of, open_split
from experiments.errors import UserError
from experiments.registry.checks import check_arguments
from gluon_models import zoo
from gluon_models.dequantize import Dequantized
from gluon_models.fluid_defaults import use_fluid_defaults
from gluon_models.torch_defaults import use_torch_defaults


def train(config: Mapping[str, Any], folder: Path, log: training.Log, info: dict[str, Any]) -> dict[str, float]:
    """Train as ``config`` says, from its checkpoint where ``folder`` has one; the metrics after the last epoch.

    What the data files say of themselves is noted in ``info``, the run's own.
    """
    arguments, data, recipe = registry.split(numbers_of(config))
    contexts, workers = devices(config["runtime"]["devices"]), config["runtime"]["workers"]
    train_set, valid_set = (_open(config, split, info) for split in (data.train_split, data.valid_split))
    if train_set.kind != valid_set.kind:
        raise UserError(
            f"dataset {data.dataset}: split {data.train_split} has {train_set.kind}; "
            f"split {data.valid_split} has {valid_set.kind}; convert both alike"
        )
    model = _model(config, arguments, train_set)
    mx.random.seed(config["seed"])
    if recipe.initializer == "torch_defaults":
        use_torch_defaults(model)
    if recipe.initializer == "fluid_defaults":
        use_fluid_defaults(model)
    model.initialize(ctx=contexts)
    if config["weights"] is not None:
        path = weights.find(config)
        weights.load(model, path, new_classifier=True)
    return training.fit(
        _net(model, train_set),
        Loader(train_set, data.batch_size, data.seg_num, training=True, seed=config["seed"], workers=workers),
        Loader(valid_set, data.batch_size, data.seg_num, training=False, workers=workers),
        recipe,
        contexts,
        Checkpoints(folder / "checkpoints", model, config["runtime"]["save_seconds"]),
        log,
        config["seed"],
    )


def evaluate(config: Mapping[str, Any], info: dict[str, Any]) -> dict[str, float]:
    """The metrics of the parameters that ``weights`` names, on the validation split; notes in ``info`` as `train`."""
    if config["weights"] is None:
        raise UserError("evaluate: weights missing; add weights=RUN_ID or weights=FILE")
    arguments, data, recipe = registry.split(numbers_of(config))
    contexts = devices(config["runtime"]["devices"])
    valid_set = _open(config, data.valid_split, info)
    model = _model(config, arguments, valid_set)
    model.initialize(ctx=contexts)
    path = weights.find(config)
    info["weights"] = str(path)
    weights.load(model, path, new_classifier=False)
    workers = config["runtime"]["workers"]
    loader = Loader(valid_set, data.batch_size, data.seg_num, training=False, workers=workers)
    return training.evaluate(_net(model, valid_set), loader, recipe.loss, contexts)


def devices(names: str) -> list[mx.Context]:
    """The contexts that ``names`` lists: ``cpu``, ``gpu``, ``gpu:0`` or ``gpu:0-7``.

    Raises:
        UserError: for another form, or a device that is not there.
    """
    match = re.fullmatch(r"(cpu|gpu)(?::(\d+)(?:-(\d+))?)?", names)
    if match is None or int(match[3] or match[2] or 0) < int(match[2] or 0):
        raise UserError(f"runtime.devices={names}: not of the form cpu, gpu:0 or gpu:0-7")
    first = int(match[2] or 0)
    numbers = range(first, int(match[3] or first) + 1)
    if match[1] == "gpu" and not set(numbers) <= set(range(mx.context.num_gpus())):
        raise UserError(f"runtime.devices={names}: MXNet sees {mx.context.num_gpus()} GPUs here")
    return [mx.Context(match[1], number) for number in numbers]


def _open(config: Mapping[str, Any], split: str, info: dict[str, Any]) -> VideoDataset:
    dataset = open_split(config, split)
    info.setdefault("data", {})[split] = notes_of(dataset)
    return dataset


def _model(config: Mapping[str, Any], arguments: dict[str, Any], dataset: VideoDataset) -> gluon.HybridBlock:
    """The model for the dataset's modalities and classes, without values yet."""
    if config["loss"] == "softmax_cross_entropy" and not dataset.single_label:
        raise UserError(
            f"loss={config['loss']}: videos of {config['dataset']} have many labels; use sigmoid_cross_entropy"
        )
    check_arguments(arguments, zoo.signature(config["model"]), GIVEN_BY_DATA, config["experiment"])
    return zoo.create(config["model"], feature_dims=dataset.feature_dims, num_classes=dataset.num_classes, **arguments)


def _net(model: gluon.HybridBlock, dataset: VideoDataset) -> gluon.HybridBlock:
    """``model`` as it takes the dataset's features: bytes are turned into floats on the device."""
    net = (
        Dequantized(model, {name: dataset.ranges.get(name) for name in dataset.feature_dims})
        if dataset.ranges
        else model
    )
    net.hybridize(static_alloc=True)
    return net
