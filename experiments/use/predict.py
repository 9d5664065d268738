"""``predict``: from videos to their labels, by a run's net, a file of parameters or an exported net."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import inference
from experiments.class_names import class_names
from experiments.errors import UserError
from experiments.inference import description, engines, videos
from experiments.inference.attention import Explained
from experiments.inference.videos import Found
from experiments.registry.checks import check_type, unknown
from experiments.use.extract import model_dir
from experiments.use.options import OPTIONS, whole_configuration


def run(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    """Predict every video of the input.

    Args:
        options: the command's own.
        rest: of the configuration.

    Raises:
        UserError, DataError, ModelError: with the one line that the user is told.
    """
    if options["input"] is None:
        raise UserError("predict: input missing; add input=FILE_OR_FOLDER (run.py help predict lists all keys)")
    source = Path(options["input"])
    output = Path(options["output"]) if options["output"] else None
    if options["explain"] and output and output.suffix == ".csv":
        raise UserError(f"predict: output={output}: a CSV has no room for what explain adds; take output=FILE.jsonl")
    batch_size = rest.get("batch_size", inference.Request.batch_size)
    check_type("batch_size", batch_size, int, "predict")
    request = inference.Request(source, output, options["top_k"], batch_size, options["skip_bad"])
    request.check()
    folder = Path(str(rest["weights"]))
    explainer = None
    if (folder / description.FILE).is_file() and not str(rest["weights"]).isdigit():
        net, engine = _exported(folder, options, rest)
    else:
        if options["engine"] or options["provider"]:
            raise UserError("predict: engine and provider are for an exported net; weights=FOLDER_OF_EXPORT")
        config = whole_configuration("predict", rest)
        from experiments import trained  # imports MXNet

        found = trained.load(config, source, options["vocabulary"])
        net, engine = found.description, found.engine()
        explainer = found.explainer() if options["explain"] else None
    inside = videos.look(source, request.skip_bad)
    explained: list[Explained] = []
    if inside.raw and net.extraction is None:
        raise UserError(f"{source}: raw video, and nothing says how the features that the net knows were made of such")
    with _features_of(request, inside, net, rest) as (features, originals):
        told = explained.append if output and originals else None
        inference.run(replace(request, source=features), net, engine, explainer, told)
    if output and explained:
        from experiments import attention_pictures

        attention_pictures.write(explained, originals, net, output)


def _exported(
    folder: Path, options: Mapping[str, Any], rest: Mapping[str, Any]
) -> tuple[description.Description, engines.Engine]:
    """The net that was exported to ``folder``."""
    for key in rest:
        if key not in ("weights", "batch_size", "runtime"):
            raise unknown("key", key, [*OPTIONS["predict"], "weights", "batch_size", "runtime"], "predict")
    if options["explain"]:
        raise UserError(f"predict: explain needs a run's weights; the net exported to {folder} gives logits alone")
    net = description.read(folder)
    if options["vocabulary"]:
        net = replace(net, class_names=class_names("", folder, net.num_classes, options["vocabulary"]))
    return net, engines.open_engine(options["engine"] or "mxnet", folder, net, options["provider"])


@contextmanager
def _features_of(
    request: inference.Request, inside: Found, net: description.Description, rest: Mapping[str, Any]
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """The input itself; of raw videos, a folder with the features that ``net`` was trained on, and each id's video."""
    if not inside.raw:
        yield request.source, {}
        return
    if inside.passed_over:
        print(inside.note(), file=sys.stderr)
    from experiments import extract, extract_work

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(net.extraction))
        settings = extract.Extraction.read(path, model_dir(rest), Path(str(rest["weights"])))  # an export has its files
        summary = extract.extract(inside.raw, Path(folder) / "videos", "all", settings, skip_bad=request.skip_bad)
        for line in [*summary.notes, *(f"left out: {line}" for line in summary.bad)]:
            print(line, file=sys.stderr)
        yield Path(folder) / "videos", {own.id: Path(own.path) for own in extract_work.listed(inside.raw, None)}
