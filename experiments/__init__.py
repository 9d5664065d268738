"""Experiments: named in the registry, prepared, trained, recorded and reported."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # where data/ and runs/ lie unless told otherwise


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as ``1 video`` or ``2,000 videos``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(path: Path) -> str:
    """``path`` as it is typed where the program runs."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
