import os
import sys

from experiments.launch.screen import Screen


def test_lines_go_above_the_bar(monkeypatch):
    """A terminal shows one bar, below all that was printed, and none in the end."""
    reading, writing = os.openpty()
    with os.fdopen(writing, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        screen = Screen(["scheduler", "worker 0"])
        screen.bar("worker 0", "50%")
        screen.line("worker 1", "hello")
        screen.end_bar()
        read = b""
        while read.count(b"\x1b[K") < 3:  # a terminal gives what it has
            read += os.read(reading, 1000)
        shown = read.decode().split("\r\x1b[K")
    os.close(reading)
    assert shown == ["", "[worker 0 ] 50%", "[worker 1 ] hello\r\n[worker 0 ] 50%", ""]
