"""What classes are called."""

import csv
from pathlib import Path

from datasets import flash_mnist
from experiments.errors import UserError

VOCABULARY = "vocabulary.csv"  # YouTube-8M's: a row a class, its number under Index and what it is called under Name


def class_names(dataset: str, folder: Path, num_classes: int, vocabulary: str | None = None) -> list[str]:
    """A name a class; empty where nobody gave any.

    Args:
        dataset: the dataset's name.
        folder: where it lies; its ``vocabulary.csv`` is taken.
        num_classes: how many there are.
        vocabulary: another file to take.

    Raises:
        UserError: if the file cannot be read, or does not name every class.
    """
    path = Path(vocabulary) if vocabulary else folder / VOCABULARY
    if not vocabulary and not path.is_file():
        return _subsets() if dataset.startswith("flash_mnist") and num_classes == flash_mnist.CLASSES else []
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel begins it with a mark of its own
            found = {int(row["Index"]): row["Name"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV with the columns Index and Name") from error
    if missing := [number for number in range(num_classes) if number not in found]:
        raise UserError(f"{path}: no name for class {missing[0]}; the net has {num_classes} classes")
    return [found[number] or str(number) for number in range(num_classes)]


def _subsets() -> list[str]:
    """Flash-MNIST's classes: the digits that occur."""
    return [
        "digits " + " ".join(str(digit) for digit in range(flash_mnist.DIGITS) if mask >> digit & 1)
        if mask
        else "no digit"
        for mask in range(flash_mnist.CLASSES)
    ]
