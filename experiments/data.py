"""The data of a configuration, and what a run records of them. Imports no MXNet."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets.video_dataset import VideoDataset
from experiments import ROOT, prepare

EXTRACTION = "extraction.json"  # beside data files that were made from raw videos: how


def folder_of(config: Mapping[str, Any]) -> Path:
    """Where the dataset of ``config`` lies."""
    return ROOT / config["runtime"]["data_root"] / config["dataset"]


def open_split(config: Mapping[str, Any], split: str) -> VideoDataset:
    """The videos of ``split``, one of the two that ``config`` names.

    Raises:
        UserError: if the dataset is not there.
        DataError: if it is not whole.
    """
    splits = (config["train_split"], config["valid_split"])
    folder = prepare.require(config["dataset"], ROOT / config["runtime"]["data_root"], splits)
    return VideoDataset.open(folder, split)


def notes_of(dataset: VideoDataset) -> dict[str, Any]:
    """What a run records of its data: two equal fingerprints mean equal data."""
    checksums = json.dumps(dataset.fingerprint(), sort_keys=True)
    extraction = dataset.paths[0].parent / EXTRACTION
    return {
        "videos": len(dataset),
        "classes": dataset.num_classes,
        "feature_dims": dataset.feature_dims,
        "ranges": {name: list(limits) for name, limits in dataset.ranges.items()},
        "fingerprint": hashlib.sha256(checksums.encode()).hexdigest(),
        **({"extraction": json.loads(extraction.read_text())} if extraction.is_file() else {}),
    }
