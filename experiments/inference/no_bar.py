"""In place of tqdm's bar where that is not installed."""

import sys
from typing import Any, TextIO


class NoBar:
    """Shows nothing but what is written through it."""

    def __init__(self, **options: Any) -> None:
        pass

    def __enter__(self) -> "NoBar":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, amount: int) -> None:
        """Nothing."""

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        """Nothing."""

    def write(self, text: str, file: TextIO = sys.stdout) -> None:
        """A line."""
        print(text, file=file)
