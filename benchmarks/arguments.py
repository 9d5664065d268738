"""What the benchmarks' command lines have in common."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.record import FOLDER
from experiments.errors import UserError


def parser(case: str, about: str | None, rounds: int | None = None) -> argparse.ArgumentParser:
    """The command line of a case, which knows ``--out`` and, where so many are usual, ``--rounds``."""
    own = argparse.ArgumentParser(prog=f"python -m benchmarks.{case}", description=about)
    own.add_argument("--out", type=Path, default=FOLDER, help="folder for the record (runs/bench)")
    if rounds:
        own.add_argument("--rounds", type=number, default=rounds, help="(%(default)s)")
    return own


def number(text: str) -> int:
    """A number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def numbers(text: str) -> list[int]:
    """Such numbers between commas."""
    return [number(part) for part in text.split(",")]


def seconds(text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """What reads names between commas, all of which must be in ``known``."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := set(found) - set(known):
            raise argparse.ArgumentTypeError(f"there is no {min(unknown)!r}; there are {', '.join(known)}")
        return found

    return names


def told(work: Callable[[], None], interrupted: str = "the rows above are whole") -> int:
    """Do ``work``; the exit code. What went wrong, or that it was ``interrupted``, is told in one line."""
    try:
        work()
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted; {interrupted}", file=sys.stderr)
        return 130
    return 0
