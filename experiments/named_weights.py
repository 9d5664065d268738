"""Trained parameters by name, as ``weights.yaml`` lists them: downloaded once, checked, kept in a folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from datasets import download
from datasets.download import Download
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
        return f"{self.name}{Path(self.address).suffix}"


def listed(path: Path = LIST) -> dict[str, NamedWeights]:
    """All entries by their names."""
    content: Mapping[str, Any] = yaml.safe_load(path.read_text())
    for name, entry in content.items():
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
        (size,) = download.sizes([weights.address], 1)
        aside = path.with_name(f"{path.name}.unchecked")
        download.fetch_all([Download(weights.address, aside, None, size)], 1)
        _check(weights, aside)
        aside.replace(path)
    _check(weights, path)
    return path


def _check(weights: NamedWeights, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if weights.sha256 is None:
        print(f"weights: {path} is not checked; its SHA-256 is {found}")
    elif found != weights.sha256:
        raise UserError(f"{path}: its SHA-256 is {found}, and weights.yaml says {weights.sha256}; remove the file")
