"""What Python prints, told to somebody else as well."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any


class Tee:
    """A stream that tells somebody else what is written to it."""

    def __init__(self, stream: Any, listener: Callable[[str], None]):
        self._stream = stream
        self._listener = listener

    def write(self, text: str) -> int:
        """As the stream's."""
        written = self._stream.write(text)
        self._listener(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def printed_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Whatever Python prints within the block goes to ``listener`` as well."""
    tees = {name: Tee(getattr(sys, name), listener) for name in ("stdout", "stderr")}
    for name, tee in tees.items():
        setattr(sys, name, tee)
    try:
        yield
    finally:
        for name, tee in tees.items():
            if getattr(sys, name) is tee:  # Sacred may have put back its own already
                setattr(sys, name, tee._stream)
