"""What is done beside training: ``predict``, ``export`` and ``extract``. These are no runs, and are not recorded."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets import video_file
from experiments import ROOT, configuration, inference
from experiments.errors import UserError
from experiments.inference import description, engines
from experiments.inference.attention import Explained
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
        "explain": (bool, False),
    },
    "export": {
        "to": (str | None, None),
        "input": (str | None, None),  # videos such as the net is for, where weights is no run's id
        "onnx": (bool, True),
        "vocabulary": (str | None, None),
    },
    "extract": {
        "video": (str | None, None),
        "to": (str | None, None),
        "split": (str, "train"),
        "labels": (str | None, None),  # a CSV of ids and labels, as own data have it
        "num_classes": (int | None, None),
        "single_label": (bool, False),
        "skip_bad": (bool, False),
        "backbone": (str, "inceptionv3"),
        "backbone_weights": (str | None, None),
        "pretrained": (bool, True),
        "frames_per_second": (float, 1.0),
        "size": (int | None, None),
        "audio": (bool, True),
        "pca": (str | None, None),
        "quantize": (bool, False),
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
    if command == "extract":
        return _extract(options, rest)
    if updates.get("weights") is None:
        raise UserError(f"{command}: weights missing; add weights=RUN_ID or weights=FILE")
    if command == "predict":
        _predict(options, rest)
    else:
        _export(options, rest)
    return None


def _options(command: str, updates: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The command's own options, with their defaults, and what is the configuration's."""
    known = OPTIONS[command]
    words = {"true": True, "false": False}
    for key, value in (updates := dict(updates)).items():
        if key in known:
            if known[key][0] is bool and isinstance(value, str):
                updates[key] = value = words.get(value.lower(), value)
            check_type(key, value, known[key][0], command)
    own = {key: updates.get(key, default) for key, (_, default) in known.items()}
    rest = {key: value for key, value in updates.items() if key not in known}
    return own, rest


def _configuration(command: str, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration; an unknown key is told the nearest of the command's and the configuration's."""
    config = configuration.resolve(
        {key: value for key, value in rest.items() if key in ("weights", "experiment", "runtime")}
    )
    for key in rest:
        if key not in config:
            raise unknown("key", key, [*OPTIONS[command], *config], command)
    config = configuration.resolve(rest)
    return {**config, **rest, "runtime": {**config["runtime"], **rest.get("runtime", {})}}


def _predict(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    if options["input"] is None:
        raise UserError("predict: input missing; add input=FILE_OR_FOLDER")
    source = Path(options["input"])
    output = Path(options["output"]) if options["output"] else None
    if options["explain"] and output and output.suffix == ".csv":
        raise UserError(f"predict: output={output}: a CSV has no room for what explain adds; take output=FILE.jsonl")
    folder = Path(str(rest["weights"]))
    explainer = None
    if (folder / description.FILE).is_file() and not str(rest["weights"]).isdigit():
        if options["explain"]:
            raise UserError(f"predict: explain needs a run's weights; the net exported to {folder} gives logits alone")
        net = description.read(folder)
        engine = engines.open_engine(options["engine"] or "mxnet", folder, net, options["provider"])
    else:
        if options["engine"] or options["provider"]:
            raise UserError("predict: engine and provider are for an exported net; weights=FOLDER_OF_EXPORT")
        config = _configuration("predict", rest)
        from experiments import trained  # imports MXNet

        found = trained.load(config, source, options["vocabulary"])
        net, engine = found.description, found.engine()
        explainer = found.explainer() if options["explain"] else None
    batch_size = rest.get("batch_size", inference.Request.batch_size)
    explained: list[Explained] = []
    with _features_of(source, net, options["skip_bad"], rest) as (features, originals):
        request = inference.Request(features, output, options["top_k"], batch_size, options["skip_bad"])
        inference.run(request, net, engine, explainer, explained.append if output and originals else None)
    if output and explained:
        from experiments import attention_pictures

        attention_pictures.write(explained, originals, net, output)


@contextmanager
def _features_of(
    source: Path, net: description.Description, skip_bad: bool, rest: Mapping[str, Any]
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """``source`` itself; of raw videos, a folder with the features that ``net`` was trained on, and each id's video."""
    inside = list(source.iterdir()) if source.is_dir() else [source]
    if not any(path.suffix.lower() in video_file.SUFFIXES for path in inside):
        yield source, {}
        return
    if net.extraction is None:
        raise UserError(f"{source}: raw video, and nothing says how the features that the net knows were made of such")
    from experiments import extract, extract_work

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(net.extraction))
        settings = extract.Extraction.read(path, _model_dir(rest))
        videos = extract.videos_in(source)
        summary = extract.extract(videos, Path(folder) / "videos", "all", settings, skip_bad=skip_bad)
        for line in [*summary.notes, *(f"left out: {line}" for line in summary.bad)]:
            print(line, file=sys.stderr)
        yield Path(folder) / "videos", {own.id: Path(own.path) for own in extract_work.listed(videos, None)}


def _extract(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    for key in ("video", "to"):
        if options[key] is None:
            raise UserError(f"extract: {key} missing; add {'video=FILE_OR_FOLDER' if key == 'video' else 'to=FOLDER'}")
    if strangers := [key for key in rest if key != "runtime"]:
        raise unknown("key", strangers[0], OPTIONS["extract"], "extract")
    from experiments import extract  # imports MXNet

    def path(key: str) -> Path | None:
        return Path(options[key]) if options[key] else None

    kept = ("backbone", "pretrained", "frames_per_second", "size", "audio", "quantize")
    own = {key: options[key] for key in kept}
    settings = extract.Extraction(weights=path("backbone_weights"), model_dir=_model_dir(rest), pca=path("pca"), **own)
    videos, labels = extract.videos_in(Path(options["video"])), path("labels")
    given = {key: options[key] for key in ("num_classes", "single_label", "skip_bad")}
    print(extract.extract(videos, Path(options["to"]), options["split"], settings, labels, **given))


def _model_dir(rest: Mapping[str, Any]) -> Path:
    return ROOT / {**configuration.RUNTIME, **rest.get("runtime", {})}["model_dir"]


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
