"""Datasets by name: found below ``data_root``, or brought there."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets import synthetic
from experiments import shown
from experiments.errors import UserError
from experiments.registry.checks import unknown

SMOKE = "smoke_"  # prefix of a small synthetic stand-in for a dataset
SMOKE_VIDEOS = (32, 16)  # to train on, to evaluate on

FLASH_MNIST = synthetic.Shape({"image": 50}, np.ones(1024), None, shortest=10, longest=20)

# What a stand-in shares with its dataset; its videos are short.
SHAPES = {
    "flash_mnist": FLASH_MNIST,
    "flash_mnist_standardised": FLASH_MNIST,
    "youtube8m": replace(synthetic.youtube8m(), shortest=10, longest=20),
}


def prepare(name: str, data_root: Path) -> None:
    """Bring the dataset ``name`` into ``data_root/name``; what is there already is kept.

    Raises:
        UserError: if there is no way to bring it.
    """
    if name not in BRINGERS:
        raise unknown("dataset", name, BRINGERS, "prepare")
    BRINGERS[name](data_root)


def require(name: str, data_root: Path, splits: tuple[str, str]) -> Path:
    """The folder of the dataset ``name``; a small stand-in with ``splits`` is made on the spot.

    Raises:
        UserError: if it is not there; says how to bring it.
    """
    folder = data_root / name
    if name.startswith(SMOKE) and not all(any(folder.glob(f"{split}-*.h5")) for split in splits):
        _make_stand_in(name.removeprefix(SMOKE), folder, splits)
    if not any(folder.glob("*.h5")):
        how = HOW.get(name, f"put data files into {folder}")
        raise UserError(
            f"dataset {name}: not in {shown(data_root)}; {how}, or name its place by runtime.data_root=FOLDER"
        )
    return folder


def _flash_mnist(data_root: Path) -> None:
    from experiments import flash_mnist_features  # imports MXNet

    mnist_dir = os.environ.get("MNIST_DIR")
    folder = Path(mnist_dir) if mnist_dir else data_root / "mnist"
    flash_mnist_features.build(data_root / "flash_mnist", folder, may_fetch=not mnist_dir)


def _flash_mnist_standardised(data_root: Path) -> None:
    from experiments import standardised_features

    if not any((data_root / "flash_mnist").glob("*.h5")):
        _flash_mnist(data_root)
    standardised_features.build(data_root / "flash_mnist", data_root / "flash_mnist_standardised")


def _make_stand_in(name: str, folder: Path, splits: tuple[str, str]) -> None:
    if name not in SHAPES:
        raise UserError(f"smoke: no stand-in for dataset {name}; there are: {', '.join(SHAPES)}")
    for split, videos in zip(splits, SMOKE_VIDEOS, strict=True):
        synthetic.write_split(folder, SHAPES[name], split, videos, seed=0)


BRINGERS: dict[str, Callable[[Path], None]] = {
    "flash_mnist": _flash_mnist,
    "flash_mnist_standardised": _flash_mnist_standardised,
}
# What brings a dataset, in words.
HOW = {
    **{name: f"run `python -m experiments prepare {name}`" for name in BRINGERS},
    "youtube8m": "run `make youtube8m` (1.5 TB), or convert what you have by `python -m datasets.convert`",
}
