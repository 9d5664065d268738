"""``extract``: from raw videos to a dataset."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import ROOT, configuration
from experiments.errors import UserError
from experiments.inference.places import check_writable
from experiments.registry.checks import unknown
from experiments.use.options import OPTIONS


def run(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    """Make the features, and say what became of the videos.

    Args:
        options: the command's own.
        rest: of the configuration.

    Raises:
        UserError, DataError, ModelError: with the one line that the user is told.
    """
    for key in ("video", "to"):
        if options[key] is None:
            way = "video=FILE_OR_FOLDER" if key == "video" else "to=FOLDER"
            raise UserError(f"extract: {key} missing; add {way} (run.py help extract lists all keys)")
    if strangers := [key for key in rest if key != "runtime"]:
        raise unknown("key", strangers[0], OPTIONS["extract"], "extract")
    check_writable(Path(options["to"]), f"to={options['to']}")
    from experiments import extract, extract_work  # imports MXNet

    def path(key: str) -> Path | None:
        return Path(options[key]) if options[key] else None

    kept = ("backbone", "pretrained", "frames_per_second", "size", "audio", "quantize")
    own = {key: options[key] for key in kept}
    settings = extract.Extraction(weights=path("backbone_weights"), model_dir=model_dir(rest), pca=path("pca"), **own)
    videos, labels = extract.videos_in(Path(options["video"])), path("labels")
    given = {key: options[key] for key in ("num_classes", "single_label", "skip_bad")}
    try:
        print(extract.extract(videos, Path(options["to"]), options["split"], settings, labels, **given))
    except extract_work.Interrupted as error:
        print(f"\ninterrupted {error}; the same command goes on", file=sys.stderr)
        sys.exit(130)


def model_dir(rest: Mapping[str, Any]) -> Path:
    """Where GluonCV's files of parameters are."""
    return ROOT / {**configuration.RUNTIME, **rest.get("runtime", {})}["model_dir"]
