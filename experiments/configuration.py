"""From the words after ``with`` to the whole configuration of a run. Imports neither Sacred nor MXNet."""

import inspect
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from experiments import ROOT, named_weights, registry
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.registry.checks import check_arguments, check_kind, check_type, typed, unknown
from experiments.registry.schema import Data, Training

DEFAULT_EXPERIMENT = "attention_cluster_flash_mnist"
GIVEN_BY_DATA = {"feature_dims", "num_classes"}  # model arguments that are read from the data files

# What belongs to the machine and not to the experiment. Relative folders are below the project's own.
RUNTIME: dict[str, Any] = {
    "data_root": "data",
    "runs_dir": "runs",
    "model_dir": "models",  # parameters that were downloaded
    "devices": "cpu",  # cpu, gpu, a list such as gpu:0-3, or auto
    "kvstore": "auto",  # what sums gradients over devices and machines: auto, or one of MXNet's, see `KVSTORES`
    "gradient_compression": None,  # 2bit, or 2bit:THRESHOLD; MXNet's threshold is 0.5
    "device_batch": None,  # videos that a device computes at once, at most; None lets the model choose
    "dtype": "float32",  # float16 computes in it what can be, on GPUs
    "workers": 2,  # threads that make batches; more where GPUs wait for them
    "save_seconds": 300.0,  # between checkpoints within an epoch; there is one after each epoch besides
    "mongo": None,  # mongodb://HOST:PORT/DATABASE; None takes SACRED_MONGO_URL, or the embedded store
}
RUNTIME_TYPES = {
    "data_root": str,
    "runs_dir": str,
    "model_dir": str,
    "devices": str,
    "kvstore": str | None,
    "gradient_compression": str | None,
    "device_batch": int | None,
    "dtype": str,
    "workers": int,
    "save_seconds": float,
    "mongo": str | None,
}
KVSTORES = ("auto", "local", "device", "nccl", "dist_sync", "dist_device_sync", "dist_async")
DTYPES = ("float32", "float16")

# What a command is told besides the experiment's own numbers.
REQUEST: dict[str, Any] = {
    "weights": None,  # a run's id, a file of parameters or a name of weights.yaml: what to start from
    "allow_unverified": False,  # take downloaded weights whose checksum nobody knows
    "resume": None,  # a run's id: go on with it where it stopped
    "seed": 0,  # of everything that is random
    "smoke": False,  # the whole way in seconds, on a few synthetic videos of the dataset's shape
}
REQUEST_TYPES = {
    "weights": int | str | None,
    "allow_unverified": bool,
    "resume": int | None,
    "seed": int,
    "smoke": bool,
}


def resolve(updates: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that ``updates``, from the command line, are laid over.

    It has every key that they may set, for the experiment and the model that they name.

    Args:
        updates: keys and values given by the user, ``runtime`` a block.

    Raises:
        UserError: for an unknown experiment, model or key (the nearest is suggested), or a wrong type.
    """
    machine(updates)
    if updates.get("resume") is not None:
        return _resumed(updates)
    if isinstance(updates.get("weights"), int) and "experiment" not in updates:
        return _of_run(updates["weights"], updates)  # a run's parameters go with its configuration
    if "model" in updates and not isinstance(updates["model"], str):
        raise UserError(f"model={updates['model']!r} is not a model's name")
    named = named_weights.listed().get(updates["weights"]) if isinstance(updates.get("weights"), str) else None
    experiment = updates.get("experiment", named.experiment if named else DEFAULT_EXPERIMENT)
    if not isinstance(experiment, str):
        raise UserError(f"experiment={experiment!r} is not the name or the file of an experiment")
    entry = registry.load(experiment)
    numbers = registry.flatten(entry)
    if updates.get("model", numbers["model"]) != numbers["model"]:
        numbers = _with_other_model(numbers, updates)
    config = {"experiment": experiment, **numbers, **REQUEST, "runtime": dict(RUNTIME)}
    return _checked(updates, config, where=experiment)


def machine(updates: Mapping[str, Any]) -> dict[str, Any]:
    """The block ``runtime`` with what ``updates`` set of it.

    Raises:
        UserError: for an unknown key, or a value that it cannot have; which this machine has is found out later.
    """
    settings = updates.get("runtime", {})
    if not isinstance(settings, Mapping):
        raise UserError(f"runtime={settings!r} is not a block: runtime.devices=cpu")
    for name, setting in settings.items():
        if name not in RUNTIME:
            raise unknown("key", f"runtime.{name}", [f"runtime.{known}" for known in RUNTIME], "command line")
        check_type(f"runtime.{name}", setting, RUNTIME_TYPES[name], "command line")
        if name in ("workers", "device_batch") and setting is not None and setting < 1:
            raise UserError(f"runtime.{name}={setting} is not at least 1")
        if name == "kvstore" and setting is not None and setting not in KVSTORES:
            raise unknown("kvstore", setting, KVSTORES, "runtime.kvstore")
        if name == "dtype" and setting not in DTYPES:
            raise unknown("dtype", setting, DTYPES, "runtime.dtype")
        if name == "gradient_compression" and setting is not None:
            _check_compression(setting)
    return {**RUNTIME, **settings}


def typed_updates(updates: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """``updates`` with flags as such where they were typed as ``true`` or ``false``.

    Args:
        updates: keys and values given by the user.
        config: what `resolve` made of them.
    """
    return {key: typed(value, type(config.get(key))) for key, value in updates.items()}


def numbers_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment's own part of a configuration."""
    others = {"experiment", "runtime", *REQUEST}
    return {key: value for key, value in config.items() if key not in others}


def runs_dir(config: Mapping[str, Any]) -> Path:
    """Where runs lie."""
    return ROOT / config["runtime"]["runs_dir"]


def unrecorded_folder(config: Mapping[str, Any]) -> Path:
    """Where a run without an id (``-u``) leaves its files."""
    return runs_dir(config) / f"unrecorded-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def run_folder(config: Mapping[str, Any], run_id: int | str) -> Path:
    """The folder of a run that there is.

    Raises:
        UserError: if there is none.
    """
    folder = runs_dir(config) / str(run_id)
    if not folder.is_dir():
        raise UserError(f"run {run_id}: no folder {folder}; `python -m experiments runs` lists the runs")
    return folder


def _checked(updates: Mapping[str, Any], config: dict[str, Any], where: str) -> dict[str, Any]:
    """``config``, checked to have every key of ``updates``, and as the other keys are where these are given."""
    updates = typed_updates(updates, config)
    _check(updates, config, where)
    if updates.get("optimizer", config["optimizer"]) != config["optimizer"]:
        config["optimizer_params"] = {}  # another optimizer's arguments
    for key, value in updates.items():
        if isinstance(value, Mapping) and key != "runtime":  # Sacred takes a mapping's unknown keys for strangers
            before = config[key] if isinstance(config[key], Mapping) else {}
            config[key] = {**before, **value}
    registry.split(numbers_of({**config, **{key: value for key, value in updates.items() if key in config}}))  # ranges
    if updates.get("smoke") and not config["dataset"].startswith("smoke_"):
        config.update(dataset=f"smoke_{config['dataset']}", epochs=1, batch_size=16)
    return config


def _check(updates: Mapping[str, Any], config: Mapping[str, Any], where: str) -> None:
    hints = {
        **get_type_hints(Data),
        **get_type_hints(Training),
        **REQUEST_TYPES,
        "experiment": str,
        "model": str,
    }
    for key, value in updates.items():
        if key == "runtime":
            continue  # `machine` has seen to it
        if key in RUNTIME:
            raise UserError(f"{where}: no key named {key}; did you mean runtime.{key}?")
        if key not in config:
            raise unknown("key", key, config, where)
        if key in hints:
            check_type(key, value, hints[key], where)
            if key == "seed" and not 0 <= value < 2**32:
                raise UserError(f"{where}: seed={value} is not from 0 to 2**32 - 1")
        else:
            check_kind(key, value, config[key], where)


def _check_compression(name: str) -> None:
    kind, _, threshold = name.partition(":")
    if kind != "2bit":
        raise unknown("compression", kind, ["2bit"], "runtime.gradient_compression")
    if name != kind and not (re.fullmatch(r"\d*\.?\d+", threshold) and float(threshold) > 0):
        raise UserError(f"runtime.gradient_compression={name}: {threshold or 'nothing'} is no threshold above 0")


def _with_other_model(numbers: dict[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """``numbers`` for the model that ``updates`` name: arguments of the same name stay, the rest must be given."""
    from gluon_models import zoo  # imports MXNet, which print_config of an entry as it stands must not

    name = updates["model"]
    signature = zoo.signature(name)
    wanted = {key for key in signature.parameters if key not in GIVEN_BY_DATA}
    arguments, _, _ = registry.split(numbers)
    kept = {key: value for key, value in arguments.items() if key in wanted}
    given = {key: typed(value, signature.parameters[key].annotation) for key, value in updates.items() if key in wanted}
    check_arguments({**kept, **given}, signature, GIVEN_BY_DATA, f"model {name}")
    others = {key: value for key, value in numbers.items() if key not in arguments}
    defaults = {
        key: parameter.default
        for key, parameter in signature.parameters.items()
        if key in wanted and parameter.default is not inspect.Parameter.empty
    }
    return {**others, "model": name, **defaults, **kept, **given}


def _resumed(updates: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the run to go on with; only more epochs and the machine may be set anew."""
    check_type("resume", updates["resume"], int, "resume")
    for key in updates:
        if key not in ("resume", "epochs", "runtime"):
            raise UserError(f"resume: {key} is the run's own and cannot be set; start a new run to change it")
    config = _of_run(updates["resume"], updates)
    folder = run_folder({"runtime": machine(updates)}, updates["resume"])
    done = Journal(folder / "checkpoints" / "last").read("progress").get("epoch", 0)
    epochs = updates.get("epochs", config["epochs"])
    if epochs < done or (epochs == done and Journal(folder).read("state").get("status") == "COMPLETED"):
        run_id = updates["resume"]
        raise UserError(
            f"resume={run_id}: it has done {done} epochs; give it more by epochs=, or evaluate it by weights={run_id}"
        )
    return config


def entry_of(folder: Path, config: Mapping[str, Any]) -> str:
    """The experiment of the run in ``folder``; its copy of the entry where that was a user's file that has moved."""
    experiment = config["experiment"]
    if experiment.endswith((".yaml", ".yml")) and not Path(experiment).is_file():
        return str(folder / "entry.yaml")
    return experiment


def _of_run(run_id: int, updates: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that run ``run_id`` had, but for the machine."""
    folder = run_folder({"runtime": machine(updates)}, run_id)
    config = Journal(folder).read("config")
    if "runtime" not in config:
        raise UserError(f"run {run_id}: no configuration in {folder}; it ended before it began")
    config["experiment"] = entry_of(folder, config)
    own = {key: config[key] for key in ("smoke", "seed", *(("weights",) if "resume" in updates else ()))}
    config.update({**REQUEST, **own, "runtime": dict(RUNTIME)})
    return _checked(updates, config, where=f"run {run_id}")
