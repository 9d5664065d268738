"""The file that HDF5 writes into, so that a full disk ends in an error and not in a crash."""

import io
import os
from pathlib import Path
from typing import Any


class Output(io.FileIO):
    """A file whose failures HDF5 does not see, because it crashes on them; the first one is kept instead.

    Attributes:
        error: why not everything is written.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Take all of ``data``, in several parts where the system asks for that."""
        left = memoryview(data).cast("B")
        try:
            while left and not self.error:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or make it longer."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def see(self) -> None:
        """Raise the error, if there was one."""
        if self.error:
            raise self.error


def sync(path: Path) -> None:
    """Wait until the disk has all of ``path``.

    Raises:
        OSError: if it has not.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
