"""What a program prints, in a file."""

import os
import re
from pathlib import Path


class OutputFile:
    """A file that takes text as a terminal does: after a carriage return the line begins anew.

    So of a progress bar its last state is kept, and not thousands.

    Args:
        path: appended to, if it is there.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._end = self._line = os.lseek(self._file, 0, os.SEEK_END)
        self._returned = False

    def write(self, text: str) -> None:
        """Append ``text``; it is with the kernel when this returns."""
        start, piece = self._end, bytearray()
        for token in re.split(rb"([\r\n])", text.encode(errors="replace")):
            if token == b"\n":
                piece += token
                self._line = start + len(piece)
                self._returned = False
            elif token == b"\r":
                self._returned = True
            elif token:
                if self._returned:
                    start, piece = min(start, self._line), piece[: max(0, self._line - start)]
                    self._returned = False
                piece += token
        os.pwrite(self._file, piece, start)
        if start + len(piece) < self._end:
            os.ftruncate(self._file, start + len(piece))
        self._end = start + len(piece)

    def close(self) -> None:
        """No more comes."""
        os.close(self._file)
