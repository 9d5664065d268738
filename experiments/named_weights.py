"""Trained parameters by name, as ``weights.yaml`` lists them: downloaded once, checked, kept in a folder."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from datasets import download
from datasets.errors import one_line
from experiments.errors import UserError
from experiments.registry.checks import check_keys

LIST = Path(__file__).with_name("weights.yaml")
HINTS = {"experiment": str, "address": str, "sha256": str | None, "source": str}


@dataclass(frozen=True)
class NamedWeights:
    """One entry of the list.

    Attributes:
        name: what it is called.
        experiment: whose configuration it is for.
        address: where it can be had.
        sha256: of the file; None where nobody has checked it.
        source: who made it.
    """

    name: str
    experiment: str
    address: str
    sha256: str | None
    source: str

    @property
    def file(self) -> str:
        """What it is called in ``model_dir``: two publishers may have given one name."""
        return f"{self.name}{Path(urlsplit(self.address).path).suffix}"


def listed(path: Path = LIST) -> dict[str, NamedWeights]:
    """All entries by their names.

    Raises:
        UserError: if an entry is not as it should be.
    """
    content: Mapping[str, Any] = yaml.safe_load(path.read_text())
    for name, entry in content.items():
        if not re.fullmatch(r"(?!\.)[\w.-]+", str(name), re.ASCII):  # it becomes a file's name
            raise UserError(f"{path.name}: {name!r} is no name; letters, digits, _, . and - make one, no dot first")
        check_keys(entry, HINTS, f"{path.name}: {name}")
    return {name: NamedWeights(name, **entry) for name, entry in content.items()}


def fetch(weights: NamedWeights, model_dir: Path, allow_unverified: bool) -> Path:
    """The file of ``weights``, which is brought into ``model_dir`` unless it is there.

    Raises:
        UserError: if nobody has checked it and that is not allowed, or it is not what it should be.
        DataError: if it cannot be had.
    """
    if weights.sha256 is None and not allow_unverified:
        raise UserError(
            f"weights={weights.name}: nobody has checked {weights.address}; "
            "take it as it comes by allow_unverified=True"
        )
    path = model_dir / weights.file
    if not path.is_file():
        try:
            _download(weights, path)
        except OSError as error:
            raise UserError(f"runtime.model_dir={model_dir}: cannot be written ({one_line(error)})") from error
    found = _sha256(path)
    if weights.sha256 is None:
        print(f"weights: {path} is not checked; its SHA-256 is {found}")
    elif found != weights.sha256:
        raise UserError(f"{path}: its SHA-256 is {found}, and weights.yaml says {weights.sha256}; remove the file")
    return path


def _download(weights: NamedWeights, path: Path) -> None:
    aside = path.with_name(f"{path.name}.unchecked")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside.write_bytes(b"")  # which fails here where nothing can be written, and not after many attempts
    try:
        (size,) = download.sizes([weights.address], 1)
        download.fetch(weights.address, aside, size)
        if weights.sha256 is not None and (found := _sha256(aside)) != weights.sha256:
            raise UserError(
                f"{weights.address}: its SHA-256 is {found}, and weights.yaml says {weights.sha256}; it is not kept"
            )
        aside.replace(path)
    finally:
        for left in (aside, aside.with_name(f"{aside.name}.part")):
            left.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
