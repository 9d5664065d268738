"""A trained net from what names it: a run's id, or a file of parameters with an experiment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import gluon

from datasets.errors import DataError
from datasets.layout import MODALITIES
from datasets.record import Record
from experiments import data, prepare, weights
from experiments.class_names import VOCABULARY, class_names
from experiments.configuration import GIVEN_BY_DATA, numbers_of, run_folder
from experiments.errors import UserError
from experiments.inference import videos
from experiments.inference.attention import Explainer
from experiments.inference.batches import Batch
from experiments.inference.description import Description, Modality
from experiments.inference.engines import Engine
from experiments.journal import Journal
from experiments.registry import split
from experiments.registry.checks import check_arguments
from gluon_models import zoo
from gluon_models.dequantize import Dequantized


@dataclass(frozen=True)
class Trained:
    """A net with values.

    Attributes:
        net: takes features as `description` says, and lengths; gives logits.
        description: what it is.
    """

    net: gluon.HybridBlock
    description: Description

    def engine(self) -> Engine:
        """As an engine of prediction."""
        self.net.hybridize(static_alloc=True, static_shape=True)
        return lambda batch: self.net(*_arrays(batch)).asnumpy()

    def explainer(self) -> Explainer:
        """What gives the attention weights by which the engine predicts.

        Raises:
            UserError: if the model has none.
        """
        inside = self.net.net if isinstance(self.net, Dequantized) else self.net
        if not hasattr(inside, "attention_weights"):
            raise UserError(f"explain: the model {self.description.model['name']} has no attention; leave explain out")

        def compute(batch: Batch) -> list[np.ndarray]:
            features, lengths = _arrays(batch)
            floats = self.net.floats(mx.nd, features) if isinstance(self.net, Dequantized) else features
            return [own.asnumpy() for own in inside.attention_weights(floats, lengths)]  # (B, N_m, T) each

        return compute


def _arrays(batch: Batch) -> tuple[list[mx.nd.NDArray], mx.nd.NDArray]:
    return [mx.nd.array(own, dtype=own.dtype) for own in batch.features], mx.nd.array(batch.lengths, dtype="int32")


def load(config: Mapping[str, Any], source: Path | None, vocabulary: str | None = None) -> Trained:
    """The net whose parameters ``config["weights"]`` names.

    Args:
        config: a whole configuration; of a run's id it is that run's.
        source: videos for it: where no run says what the net's inputs are, the first of them does.
        vocabulary: a file that names the classes.

    Raises:
        UserError: if it is not known what the inputs are, or the parameters do not fit.
    """
    path = weights.find(config)
    arguments, read, recipe = split(numbers_of(config))
    check_arguments(arguments, zoo.signature(config["model"]), GIVEN_BY_DATA, config["experiment"])
    notes = _notes(config)
    modalities = _modalities_of_run(notes) if notes else _modalities_of_source(source)
    num_classes = notes["classes"] if notes else _classes_of_file(path, read.dataset)
    model = zoo.create(
        config["model"], feature_dims={own.name: own.width for own in modalities}, num_classes=num_classes, **arguments
    )
    vocabulary = vocabulary or _kept_vocabulary(config)
    for parameter in model.collect_params().values():
        parameter.initialize(init="zeros")  # random values would be drawn for seconds, and replaced
    weights.load(model, path, new_classifier=False)
    limits = {own.name: own.limits for own in modalities}
    description = Description(
        modalities=modalities,
        num_classes=num_classes,
        single_label=recipe.loss == "softmax_cross_entropy",
        seg_num=read.seg_num,
        class_names=class_names(read.dataset, data.folder_of(config), num_classes, vocabulary),
        model={"name": config["model"], **arguments},
        origin={
            "weights": str(config["weights"]),
            "experiment": config["experiment"],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        extraction=notes.get("extraction"),
    )
    net = Dequantized(model, limits) if any(limits.values()) else model
    return Trained(net, description)


def _notes(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the run noted of the data that it was trained on; empty where the weights are no run's."""
    if not isinstance(config["weights"], int):
        return {}
    folder = run_folder(config, config["weights"])
    notes = Journal(folder).read("state").get("info", {}).get("data", {}).get(config["train_split"])
    if not notes:
        raise UserError(f"run {config['weights']}: it does not say what data it was trained on; its start failed")
    if "ranges" in notes:
        return notes
    older = f"run {config['weights']}: made before runs noted what the bytes of their data stand for: {{}}"
    try:
        today = data.notes_of(data.open_split(config, config["train_split"]))
    except (UserError, DataError) as error:
        raise UserError(older.format(error)) from error
    if today["fingerprint"] != notes["fingerprint"]:
        raise UserError(older.format(f"{data.folder_of(config)} has other data now; bring back those that it had"))
    return today


def _kept_vocabulary(config: Mapping[str, Any]) -> str | None:
    """The names of classes as they were when the run was trained, if it kept any."""
    if not isinstance(config["weights"], int):
        return None
    journal = Journal(run_folder(config, config["weights"]))
    resources = journal.read("state").get("resources", [])
    kept = [journal.files / md5 for name, md5 in resources if Path(name).name == VOCABULARY]
    return str(kept[-1]) if kept and kept[-1].is_file() else None


def _modalities_of_run(notes: Mapping[str, Any]) -> list[Modality]:
    return [Modality(name, width, *notes["ranges"].get(name, ())) for name, width in notes["feature_dims"].items()]


def _modalities_of_source(source: Path | None) -> list[Modality]:
    """Of the first video of ``source`` that can be used."""
    inside = videos.look(source) if source else None
    if inside and inside.raw:
        raise UserError(
            f"{inside.raw[0]}: raw video, and a file of parameters does not say how features were made of such;"
            " give a run's id or an exported net"
        )
    for path in inside.features if inside else []:
        ranges = videos.ranges_of(path)
        for entry in videos.read(path):
            if isinstance(entry.content, Record):
                found = entry.content.features
                names = sorted(
                    found, key=lambda name: (MODALITIES.index(name) if name in MODALITIES else len(MODALITIES), name)
                )
                limits = {name: ranges.get(name, (0.0, 255.0)) for name in names if found[name].dtype == np.uint8}
                return [Modality(name, found[name].shape[1], *limits.get(name, ())) for name in names]
    if source:
        raise UserError(f"{source}: no video in it can be used")
    raise UserError("weights: a file does not say what the net's inputs are; give a run's id, or input=VIDEOS")


def _classes_of_file(path: Path, dataset: str) -> int:
    """The number of classes that a file of parameters is for."""
    if path.suffix != ".pdparams":
        found = weights.arrays_of(path)
        if weights.CLASSIFIER[1] in found:
            return len(found[weights.CLASSIFIER[1]])
    if dataset in prepare.SHAPES:
        return len(prepare.SHAPES[dataset].class_weights)
    raise UserError(f"{path}: it does not say how many classes it is for; give a run's id")
