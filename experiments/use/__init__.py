"""What is done beside training: ``predict``, ``export`` and ``extract``. These are no runs, and are not recorded."""

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from experiments.errors import UserError
from experiments.use import export, extract, predict
from experiments.use.options import OPTIONS, check_runtime, help_of, taken

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
    check_runtime(command, rest)
    if command != "extract" and updates.get("weights") is None:
        raise UserError(
            f"{command}: weights missing; add weights=RUN_ID or weights=FILE (run.py help {command} lists all keys)"
        )
    with _ended_by_sigterm():
        COMMANDS[command](options, rest)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Within the block SIGTERM ends the program in order, so that no temporary file is left."""

    def end(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        print("\nterminated", file=sys.stderr)
        sys.exit(143)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
