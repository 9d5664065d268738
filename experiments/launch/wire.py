"""Lines through pipes that nobody may be reading: nothing here ever waits."""

import json
import os
import select
import time
from collections.abc import Iterable
from typing import Any


class Inlet:
    """The lines that come through a descriptor.

    Attributes:
        descriptor: read from.
        rest: what came after the last whole line.
        is_open: whether more can come.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.rest = b""
        self.is_open = True

    def lines(self) -> list[bytes]:
        """The whole lines that have come since, without their ends."""
        try:
            came = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return []
        except ConnectionError:
            came = b""
        self.is_open = bool(came)
        *whole, self.rest = (self.rest + came).split(b"\n")
        return whole


class Outlet:
    """Messages to a descriptor, a JSON object a line, kept until they are taken.

    Attributes:
        is_open: whether anybody can take more.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._waiting = b""
        self.is_open = True

    @property
    def waiting_bytes(self) -> int:
        """How much was not taken yet."""
        return len(self._waiting)

    def say(self, kind: str, content: Any) -> None:
        """Send one message, now or later."""
        self._waiting += json.dumps({kind: content}).encode() + b"\n"
        self.push()

    def push(self) -> None:
        """Send what is taken now."""
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._descriptor, self._waiting) :]
        except BlockingIOError:
            pass
        except OSError:
            self.is_open = False
            self._waiting = b""

    def drain(self, seconds: float) -> None:
        """Send all, within ``seconds``."""
        end = time.monotonic() + seconds
        while self._waiting and time.monotonic() < end:
            wait([], self, end - time.monotonic())
            self.push()


def wait(inlets: Iterable[Inlet], outlet: Outlet, seconds: float) -> None:
    """Until something can be read or, where something waits, written, but no longer than ``seconds``."""
    writing = [outlet._descriptor] if outlet.waiting_bytes else []
    select.select([inlet.descriptor for inlet in inlets if inlet.is_open], writing, [], seconds)
