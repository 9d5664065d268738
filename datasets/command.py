"""What the package's command lines share: how they end, and kinds of arguments."""

import argparse
import sys
from collections.abc import Callable

from datasets.errors import DataError, one_line

INTERRUPTED = 130  # the exit code of a shell's own commands after Ctrl-C


def run(action: Callable[[], int], interrupted: str) -> int:
    """The exit code of ``action``; an error of the user's, of the disk or the network is one line and code 1.

    Args:
        action: what the command does.
        interrupted: what is told after "interrupted; " when Ctrl-C ends it.
    """
    try:
        return action()
    except (DataError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return INTERRUPTED


def say(text: str) -> None:
    """Print ``text``, in which names of files need not be UTF-8."""
    print(text.encode(errors="backslashreplace").decode())


def positive(text: str) -> int:
    """An argument that must be a number above 0."""
    if not text.isdecimal() or len(text) > 18 or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text[:40]}: not a number above 0")
    return int(text)


def natural(text: str) -> int:
    """An argument that must be a number, 0 or above."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text[:40]}: not a number, 0 or above")
    return int(text)
