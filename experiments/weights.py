"""Where a model's values come from: a run, a file of ours, or a file of Paddle's."""

from pathlib import Path

import mxnet as mx
from mxnet import gluon

from experiments.errors import UserError
from gluon_models import paddle
from gluon_models.paddle_pickle import read_pdparams

CLASSIFIER = "classifier."  # how the names of the last layer's parameters start, in every model of ours


def find(weights: int | str, runs_dir: Path) -> Path:
    """The file that ``weights`` names: a run's id (its last checkpoint), or a path.

    Raises:
        UserError: if there is none.
    """
    of_run = runs_dir / str(weights) / "checkpoints" / "last" / "net.params"
    path = of_run if str(weights).isdigit() or of_run.is_file() else Path(str(weights))
    if not path.is_file():
        raise UserError(f"weights={weights}: no file {path}; give a run's id or a file of parameters")
    return path


def load(model: gluon.Block, path: Path, dropout: float, new_classifier: bool) -> None:
    """Give ``model``, which is initialized, the values in ``path``, all or none of them.

    Args:
        model: a model with ``feature_dims``.
        path: of Gluon's ``save_parameters``, or a ``.pdparams`` of Paddle's.
        dropout: that the parameters were trained with; Paddle's convention needs it.
        new_classifier: let the classifier keep its initial values where the file's is for another number of
            classes, and say so; otherwise that is an error.

    Raises:
        UserError, ModelError: if the file cannot be read or is of another model.
    """
    own = model._collect_params_with_prefix()
    found = _paddle(model, path, dropout) if path.suffix == ".pdparams" else _gluon(path)
    if set(own) != set(found):
        strangers = sorted(set(own) ^ set(found))
        raise UserError(f"{path}: parameters of another model; {strangers[0]} is in one of the two alone")
    misfits = [name for name in own if own[name].shape != found[name].shape]
    fatal = [name for name in misfits if not (new_classifier and name.startswith(CLASSIFIER))]
    if fatal:
        name = fatal[0]
        raise UserError(f"{path}: {name} is {found[name].shape} there and {own[name].shape} here; set the sizes alike")
    if misfits:
        before, now = (parameters[CLASSIFIER + "bias"].shape[0] for parameters in (found, own))
        print(f"weights: {path} has {before} classes and the data {now}: the classifier starts anew")
    for name, parameter in own.items():
        if name not in misfits:
            parameter.set_data(found[name])


def _gluon(path: Path) -> dict[str, mx.nd.NDArray]:
    try:
        found = mx.nd.load(str(path))
    except mx.MXNetError as error:
        raise UserError(f"{path}: not a file of Gluon parameters; give one, a run's id, or a .pdparams") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: arrays without names; give a file of Gluon's save_parameters")
    return found


def _paddle(model: gluon.Block, path: Path, dropout: float) -> dict[str, mx.nd.NDArray]:
    net = paddle.net_of(read_pdparams(path), list(model.feature_dims), dropout)
    return {name: parameter.data() for name, parameter in net._collect_params_with_prefix().items()}
