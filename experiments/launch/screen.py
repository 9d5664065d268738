"""What a person sees of a job: the lines of all its processes, labelled, and one progress bar below them."""

import os
import sys
import threading


class Screen:
    """Stdout, shared by threads.

    Args:
        labels: of all who print.

    Attributes:
        is_open: whether anybody reads it.
    """

    def __init__(self, labels: list[str]) -> None:
        self.is_open = True
        self._width = max(map(len, labels))
        self._bar = ""
        self._shows_bars = sys.stdout.isatty()
        self._printing = threading.Lock()

    def line(self, label: str, text: str) -> None:
        """Print one line of a process."""
        with self._printing:
            self._print(f"[{label:{self._width}}] {text}\n{self._bar}")

    def bar(self, label: str, text: str) -> None:
        """Show the state of a progress bar, where a terminal shows it; elsewhere its last state comes as a line."""
        if self._shows_bars:
            with self._printing:
                self._bar = f"[{label:{self._width}}] {text}" if text.strip() else ""
                self._print(self._bar)

    def end_bar(self) -> None:
        """Take away the bar that is there."""
        with self._printing:
            if self._bar:
                self._bar = ""
                self._print("")

    def _print(self, text: str) -> None:
        try:
            sys.stdout.write(f"\r\x1b[K{text}" if self._shows_bars else text)
            sys.stdout.flush()
        except BrokenPipeError:  # as behind `| head`
            self.is_open = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
