"""What a trained net is used for: ``predict`` and ``export``. These are no runs, and are not recorded."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import configuration, inference
from experiments.errors import UserError
from experiments.inference import description, engines
from experiments.registry.checks import check_type, unknown

# What each command takes besides the keys of a configuration.
OPTIONS: dict[str, dict[str, tuple[Any, Any]]] = {
    "predict": {  # key: type, default
        "input": (str | None, None),
        "output": (str | None, None),
        "top_k": (int, 20),
        "skip_bad": (bool, False),
        "vocabulary": (str | None, None),
        "engine": (str | None, None),
        "provider": (str | None, None),
    },
    "export": {
        "to": (str | None, None),
        "input": (str | None, None),  # videos such as the net is for, where weights is no run's id
        "onnx": (bool, True),
        "vocabulary": (str | None, None),
    },
}


def run(command: str, updates: Mapping[str, Any]) -> None:
    """Do as the command line says.

    Args:
        command: one of `OPTIONS`.
        updates: keys and values after ``with``.

    Raises:
        UserError, DataError, ModelError: with the one line that the user is told.
    """
    options, rest = _options(command, updates)
    if updates.get("weights") is None:
        raise UserError(f"{command}: weights missing; add weights=RUN_ID or weights=FILE")
    if command == "predict":
        _predict(options, rest)
    else:
        _export(options, rest)


def _options(command: str, updates: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The command's own options, with their defaults, and what is the configuration's."""
    known = OPTIONS[command]
    for key, value in updates.items():
        if key in known:
            check_type(key, value, known[key][0], command)
    own = {key: updates.get(key, default) for key, (_, default) in known.items()}
    rest = {key: value for key, value in updates.items() if key not in known}
    return own, rest


def _configuration(command: str, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration; an unknown key is told the nearest of the command's and the configuration's."""
    config = configuration.resolve({key: value for key, value in rest.items() if key in ("weights", "experiment")})
    for key in rest:
        if key not in config:
            raise unknown("key", key, [*OPTIONS[command], *config], command)
    return {**configuration.resolve(rest), **{key: value for key, value in rest.items() if key != "runtime"}} | {
        "runtime": {**configuration.RUNTIME, **rest.get("runtime", {})}
    }


def _predict(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    if options["input"] is None:
        raise UserError("predict: input missing; add input=FILE_OR_FOLDER")
    source = Path(options["input"])
    folder = Path(str(rest["weights"]))
    if (folder / description.FILE).is_file() and not str(rest["weights"]).isdigit():
        net = description.read(folder)
        engine = engines.open_engine(options["engine"] or "mxnet", folder, net, options["provider"])
        batch_size = rest.get("batch_size", inference.Request.batch_size)
    else:
        if options["engine"] or options["provider"]:
            raise UserError("predict: engine and provider are for an exported net; weights=FOLDER_OF_EXPORT")
        config = _configuration("predict", rest)
        from experiments import trained  # imports MXNet

        found = trained.load(config, source, options["vocabulary"])
        net, engine = found.description, found.engine()
        batch_size = rest.get("batch_size", inference.Request.batch_size)
    output = Path(options["output"]) if options["output"] else None
    inference.run(inference.Request(source, output, options["top_k"], batch_size, options["skip_bad"]), net, engine)


def _export(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    if options["to"] is None:
        raise UserError("export: to missing; add to=FOLDER")
    config = _configuration("export", rest)
    from experiments import trained  # imports MXNet
    from gluon_models.exporting import export

    if options["onnx"]:
        try:
            import onnx  # noqa: F401
        except ImportError:
            print("export: the package onnx is not installed, so there will be no net.onnx", file=sys.stderr)
            options = {**options, "onnx": False}
    source = Path(options["input"]) if options["input"] else None
    found = trained.load(config, source, options["vocabulary"])
    folder = Path(options["to"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = export(found.net, folder, options["onnx"])
        found.description.write(folder)
    except OSError as error:
        raise UserError(f"to={folder}: cannot be written: {error.strerror}") from error
    for path in [*written, folder / description.FILE]:
        print(f"written: {path}, {path.stat().st_size:,} bytes")
    print(f"predict by it:  python -m experiments.inference {folder} INPUT")
