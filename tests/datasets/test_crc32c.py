import importlib
import sys

import google_crc32c
import numpy as np

from datasets import crc32c


def test_the_slow_one_is_googles(monkeypatch):
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    slow = importlib.reload(crc32c)
    try:
        assert slow.extend is not google_crc32c.extend
        assert slow.value(b"123456789") == 0xE3069283  # the check value of the algorithm's catalogue
        for size in (0, 1, 1000):
            data = np.random.default_rng(size).bytes(size)
            assert slow.value(data) == google_crc32c.value(data)
            assert slow.extend(slow.value(data), b"more") == google_crc32c.value(data + b"more")
    finally:
        monkeypatch.undo()
        importlib.reload(crc32c)
