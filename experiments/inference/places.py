"""Whether a place can be written, found out before long work is done for it."""

import tempfile
from pathlib import Path

from experiments.errors import UserError


def check_writable(folder: Path, told: str) -> None:
    """See that files can be made in ``folder``, which need not be there yet; nothing is left behind.

    Args:
        folder: where.
        told: what the user typed, such as ``to=FOLDER``.

    Raises:
        UserError: if they cannot.
    """
    try:
        there = next(own for own in (folder.absolute(), *folder.absolute().parents) if own.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(f"{told}: cannot be written: {error.strerror}") from error
