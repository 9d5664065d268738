"""The registry: one YAML file an experiment, found by its name, read, checked and listed."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from experiments.errors import UserError
from experiments.registry.cells import Cell, Published, cell_of, cells, flatten
from experiments.registry.checks import check_keys, unknown
from experiments.registry.grid import check_table, read_grid
from experiments.registry.schema import Data, Entry, Reference, Training

__all__ = [
    "Cell",
    "Data",
    "Entry",
    "Published",
    "Reference",
    "Training",
    "cell_of",
    "cells",
    "flatten",
    "load",
    "names",
    "split",
]

FOLDER = Path(__file__).parent
BLOCKS = {
    "tags": list[str],
    "model": dict[str, Any],
    "data": dict[str, Any],
    "training": dict[str, Any],
    "references": list[dict[str, Any]],
    "deviations": list[str],
    "grid": dict[str, Any] | None,  # the one block that an entry may leave out
}


class Loader(yaml.SafeLoader):
    """YAML as people write numbers: 1e-3 is one, which YAML 1.1 takes for text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def names() -> list[str]:
    """The names of all experiments; a file that starts with ``_`` is there to be included."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.name.startswith("_"))


def load(experiment: str) -> Entry:
    """The entry of an experiment of the registry, or of a YAML file of the user's own.

    Args:
        experiment: a name, or a path that ends in ``.yaml``.

    Raises:
        UserError: if there is none, or the file breaks the schema.
    """
    path = Path(experiment) if experiment.endswith((".yaml", ".yml")) else FOLDER / f"{experiment}.yaml"
    if not path.is_file():
        if path.parent == FOLDER:
            raise unknown("experiment", experiment, names(), "registry")
        raise UserError(f"{path}: no such file; give the path of an entry, or a name that `list` shows")
    content = _read(path)
    where = str(path) if path.parent != FOLDER else path.name
    content.setdefault("grid", None)
    check_keys(content, BLOCKS, where)
    model, data, training = content["model"], content["data"], content["training"]
    if not isinstance(model.get("name"), str):
        raise UserError(f"{where}: model.name is missing; it names the model")
    check_keys(data, get_type_hints(Data), f"{where}: data")
    check_keys(training, get_type_hints(Training), f"{where}: training")
    for key in model:
        if key in data or key in training:
            raise UserError(f"{where}: {key} stands in two blocks; a key stands in one")
    keys = {key: value for key, value in {**model, **data, **training}.items() if key != "name"}
    grid = read_grid(content["grid"], keys, where) if content["grid"] else None
    for reference in content["references"]:
        check_keys(reference, get_type_hints(Reference), f"{where}: references")
        for name, value in reference["metrics"].items():
            if isinstance(value, dict):
                check_table(name, value, grid, f"{where}: references")
    entry = Entry(
        name=path.stem,
        tags=content["tags"],
        model=model,
        data=Data(**data),
        training=Training(**training),
        references=[Reference(**reference) for reference in content["references"]],
        deviations=content["deviations"],
        grid=grid,
        text=yaml.safe_dump(content, sort_keys=False, width=110),
    )
    for cell in cells(entry) if grid else []:
        split(cell.numbers)  # whose values have ranges
    return entry


def split(config: Mapping[str, Any]) -> tuple[dict[str, Any], Data, Training]:
    """A flat configuration's parts again: the model's arguments, data and training."""
    data = {field.name: config[field.name] for field in fields(Data)}
    training = {field.name: config[field.name] for field in fields(Training)}
    arguments = {key: value for key, value in config.items() if key not in {"model", *data, *training}}
    return arguments, Data(**data), Training(**training)


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The YAML of ``path`` laid over what it includes, block by block and key by key."""
    if path in seen:
        raise UserError(f"{path}: includes itself")
    try:
        content = yaml.load(path.read_text(), Loader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a block of keys and values")
    included = content.pop("include", None)
    if included is None:
        return content
    if not isinstance(included, str):
        raise UserError(f"{path}: include={included!r} is not the name of a file")
    base_path = path.parent / included
    if not base_path.is_file():
        base_path = FOLDER / included  # so that a user's own entry can include one of ours
    base = _read(base_path, (*seen, path))
    for key, value in content.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            # another model's arguments would be strangers to this one
            same = key != "model" or value.get("name", base[key].get("name")) == base[key].get("name")
            base[key] = {**base[key], **value} if same else value
        else:
            base[key] = value
    return base
