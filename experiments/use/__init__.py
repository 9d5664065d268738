"""What is done beside training: ``predict``, ``export`` and ``extract``. These are no runs, and are not recorded."""

from collections.abc import Mapping
from typing import Any

from experiments.errors import UserError
from experiments.use import export, extract, predict
from experiments.use.options import OPTIONS, help_of, taken

__all__ = ["OPTIONS", "help_of", "run"]

COMMANDS = {"predict": predict.run, "export": export.run, "extract": extract.run}


def run(command: str, updates: Mapping[str, Any]) -> None:
    """Do as the command line says.

    Args:
        command: one of `OPTIONS`.
        updates: keys and values after ``with``.

    Raises:
        UserError, DataError, ModelError: with the one line that the user is told.
    """
    options, rest = taken(command, updates)
    if command != "extract" and updates.get("weights") is None:
        raise UserError(
            f"{command}: weights missing; add weights=RUN_ID or weights=FILE (run.py help {command} lists all keys)"
        )
    COMMANDS[command](options, rest)
