"""``export``: a trained net as files for other programs."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.inference import description
from experiments.inference.places import check_writable
from experiments.use.options import whole_configuration


def run(options: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
    """Write the net, and say where it is and how it is used.

    Args:
        options: the command's own.
        rest: of the configuration.

    Raises:
        UserError, DataError, ModelError: with the one line that the user is told.
    """
    if options["to"] is None:
        raise UserError("export: to missing; add to=FOLDER")
    folder = Path(options["to"])
    check_writable(folder, f"to={folder}")
    config = whole_configuration("export", rest)
    from experiments import extraction, trained  # import MXNet
    from gluon_models.exporting import export

    with_onnx = options["onnx"]
    if with_onnx:
        try:
            import onnx  # noqa: F401
        except ImportError:
            print("export: the package onnx is not installed, so there will be no net.onnx", file=sys.stderr)
            with_onnx = False
    source = Path(options["input"]) if options["input"] else None
    found = trained.load(config, source, options["vocabulary"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = export(found.net, folder, with_onnx)
        net = replace(found.description, extraction=extraction.carry(found.description.extraction, folder))
        net.write(folder)
    except OSError as error:
        raise UserError(f"to={folder}: cannot be written: {error.strerror}") from error
    for path in [*written, folder / description.FILE]:
        print(f"written: {path}, {path.stat().st_size:,} bytes")
    print(f"predict by it:  python -m experiments.inference {folder} INPUT")
    if net.extraction:
        print(f"raw videos:     python experiments/run.py predict with weights={folder} input=VIDEOS")
