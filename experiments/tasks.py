"""What a run does: data, model and recipe brought together. No Sacred; the configuration is handed in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import gluon

from datasets.loader import Loader
from datasets.video_dataset import VideoDataset
from experiments import devices, mixed_precision, registry, training, weights
from experiments.checkpoint import Checkpoints
from experiments.collective import Collective
from experiments.configuration import GIVEN_BY_DATA, numbers_of
from experiments.data import notes_of, open_split
from experiments.errors import UserError
from experiments.registry.checks import check_arguments
from experiments.registry.schema import Data
from gluon_models import zoo
from gluon_models.dequantize import Dequantized
from gluon_models.fluid_defaults import use_fluid_defaults
from gluon_models.torch_defaults import use_torch_defaults

EVALUATED_AT_ONCE = 256  # videos, at most: what a device takes then does not grow with the number of devices


def train(
    config: Mapping[str, Any],
    folder: Path | None,
    log: training.Log,
    info: dict[str, Any],
    job: Collective | None = None,
) -> dict[str, float]:
    """Train as ``config`` says, from its checkpoint where ``folder`` has one; the metrics after the last epoch.

    What the data files say of themselves is noted in ``info``, the run's own. ``folder`` is None for a worker of
    ``job`` that records nothing; what the first one starts from, all do.
    """
    arguments, data, recipe = registry.split(numbers_of(config))
    contexts, workers = devices.contexts(config["runtime"]["devices"]), config["runtime"]["workers"]
    job = job or devices.join(config["runtime"], contexts)
    mixed_precision.start(config["runtime"]["dtype"], contexts, job)
    train_set, valid_set = _open(config, (data.train_split, data.valid_split), info, job)
    videos = min(data.batch_size, len(train_set))
    if not job.adds and videos < job.workers:  # the first worker would see none, and know no loss
        raise UserError(
            f"job: a batch of {videos} has no video for each of {job.workers} workers, which dist_async and "
            "gradient_compression need; take a larger batch_size or fewer workers"
        )
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
    if config["weights"] is not None and job.is_first:
        weights.load(model, weights.find(config), new_classifier=True)
    return training.fit(
        _net(model, train_set),
        Loader(
            train_set,
            data.batch_size,
            data.seg_num,
            training=True,
            seed=config["seed"],
            workers=workers,
            share=(job.rank, job.workers),
        ),
        _valid_loader(valid_set, data, workers),
        recipe,
        contexts,
        Checkpoints(folder and folder / "checkpoints", model, config["runtime"]["save_seconds"]),
        log,
        config["seed"],
        job,
        at_once=config["runtime"]["device_batch"] or at_once(model, contexts),
    )


def evaluate(config: Mapping[str, Any], info: dict[str, Any], job: Collective | None = None) -> dict[str, float]:
    """The metrics of the parameters that ``weights`` names, on the validation split; notes in ``info`` as `train`."""
    if config["weights"] is None:
        raise UserError("evaluate: weights missing; add weights=RUN_ID or weights=FILE")
    arguments, data, recipe = registry.split(numbers_of(config))
    contexts = devices.contexts(config["runtime"]["devices"])
    job = job or devices.join(config["runtime"], contexts)
    mixed_precision.start(config["runtime"]["dtype"], contexts, job)
    (valid_set,) = _open(config, (data.valid_split,), info, job)
    model = _model(config, arguments, valid_set)
    model.initialize(ctx=contexts)
    if job.is_first:
        path = weights.find(config)
        info["weights"] = str(path)
        weights.load(model, path, new_classifier=False)
    training.align(model, job)
    loader = _valid_loader(valid_set, data, config["runtime"]["workers"])
    return training.evaluate(_net(model, valid_set), loader, recipe.loss, contexts, job)


def at_once(model: gluon.HybridBlock, contexts: Sequence[mx.Context]) -> int | None:
    """How many videos a device trains on at once, at most, where nobody has said; None for all of its share."""
    return getattr(model, "cpu_batch", None) if contexts[0].device_type == "cpu" else None


def _valid_loader(dataset: VideoDataset, data: Data, workers: int) -> Loader:
    return Loader(dataset, min(data.batch_size, EVALUATED_AT_ONCE), data.seg_num, training=False, workers=workers)


def _open(
    config: Mapping[str, Any], splits: Sequence[str], info: dict[str, Any], job: Collective
) -> list[VideoDataset]:
    """The ``splits``, noted in ``info``; of other data than the first worker's this one would make other batches."""
    datasets = [open_split(config, split) for split in splits]
    notes = {split: notes_of(dataset) for split, dataset in zip(splits, datasets, strict=True)}
    info["data"] = {**info.get("data", {}), **notes}
    own = {split: [of_split["videos"], of_split["fingerprint"]] for split, of_split in notes.items()}
    for split, (videos, fingerprint) in job.share(own).items():
        if own[split] != [videos, fingerprint]:
            raise UserError(
                f"its data differ from the first worker's: {config['dataset']}, split {split}: {own[split][0]} videos, "
                f"fingerprint {own[split][1][:12]}, there {videos}, {fingerprint[:12]}; give all the same data"
            )
    return datasets


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
    net.hybridize(static_alloc=True, static_shape=True)
    return net
