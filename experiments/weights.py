"""Where a model's values come from: a run, a file of ours, or a file of Paddle's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import gluon

from experiments import ROOT, named_weights
from experiments.configuration import runs_dir
from experiments.errors import UserError
from experiments.inference import description
from gluon_models import paddle
from gluon_models.errors import ModelError
from gluon_models.paddle_pickle import read_pdparams

CHECKPOINT = "net.params"  # a checkpoint's file of parameters
CLASSIFIER = ("classifier.weight", "classifier.bias")  # the last layer's parameters, in every model of ours


def find(config: Mapping[str, Any]) -> Path:
    """The file that ``config["weights"]`` names: a run's id (its last checkpoint), a name of the list, or a path.

    Raises:
        UserError, DataError: if there is none.
    """
    weights, folder = config["weights"], runs_dir(config)
    if weights in (listed := named_weights.listed()):
        model_dir = ROOT / config["runtime"]["model_dir"]
        return named_weights.fetch(listed[weights], model_dir, config["allow_unverified"])
    of_run = folder / str(weights) / "checkpoints" / "last" / CHECKPOINT
    path = of_run if str(weights).isdigit() or of_run.is_file() else Path(str(weights))
    path = path / CHECKPOINT if (path / CHECKPOINT).is_file() else path
    exported = path if path.is_dir() else path.parent
    if (path.is_dir() or path.name.startswith("net-")) and (exported / description.FILE).is_file():
        raise UserError(f"weights={weights}: of an exported net, which predict alone takes, by weights={exported}")
    if not path.is_file():
        names = ", ".join(listed)
        raise UserError(f"weights={weights}: no file {path}; give a run's id, a file of parameters, or one of {names}")
    return path


def load(model: gluon.Block, path: Path, new_classifier: bool) -> None:
    """Give ``model``, which is initialized, the values in ``path``, all or none of them.

    Args:
        model: a model with ``feature_dims``.
        path: of Gluon's ``save_parameters``, or a ``.pdparams`` of Paddle's.
        new_classifier: let the classifier keep its initial values where the file's is for another number of
            classes, and say so; otherwise that is an error.

    Raises:
        UserError, ModelError: if the file cannot be read, is of another model or holds values that are not finite.
    """
    own = model._collect_params_with_prefix()
    found = _paddle(model, path) if path.suffix == ".pdparams" else arrays_of(path)
    if missing := sorted(set(own) - set(found)):
        raise UserError(f"{path}: parameters of another model; {missing[0]}, which this one has, is missing there")
    if surplus := sorted(set(found) - set(own)):
        raise UserError(f"{path}: parameters of another model; {surplus[0]}, which is there, is not in this one")
    anew = CLASSIFIER if new_classifier and _has_other_classes(own, found) else ()
    for name, parameter in own.items():
        if name not in anew and found[name].shape != parameter.shape:
            raise UserError(
                f"{path}: {name} is {found[name].shape} there and {parameter.shape} here; set the sizes alike"
            )
        if not np.isfinite(found[name]).all():
            raise UserError(
                f"{path}: {name} has values that are not finite; the file is damaged, or its training failed"
            )
    if anew:
        before, now = (len(found[CLASSIFIER[1]]), own[CLASSIFIER[1]].shape[0])
        print(f"weights: {path} has {before} classes and the data {now}: the classifier starts anew")
    for name, parameter in own.items():
        if name not in anew:
            parameter.set_data(mx.nd.array(found[name]))


def _has_other_classes(own: Mapping[str, gluon.Parameter], found: Mapping[str, np.ndarray]) -> bool:
    """Whether the file's classifier is this model's but for the number of classes, axis 0 of weight and of bias."""
    if not set(CLASSIFIER) <= set(own):
        return False
    weight, bias = (found[name].shape for name in CLASSIFIER)
    own_weight, own_bias = (own[name].shape for name in CLASSIFIER)
    return weight[:1] == bias and own_weight[:1] == own_bias and weight[1:] == own_weight[1:] and bias != own_bias


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of Gluon's parameters by their names.

    Raises:
        UserError: if it is none.
    """
    try:
        found = mx.nd.load(str(path))
    except mx.MXNetError as error:
        raise UserError(f"{path}: not a file of Gluon parameters; give one, a run's id, or a .pdparams") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: arrays without names; give a file of Gluon's save_parameters")
    return {name: values.asnumpy() for name, values in found.items()}


def _paddle(model: gluon.Block, path: Path) -> dict[str, np.ndarray]:
    weights = read_pdparams(path)
    try:
        return paddle.values_for(model, weights)
    except ModelError as error:
        raise UserError(f"{path}: {error}") from error
