"""What both sides of a comparison do alike: make videos, train for a while, answer. NumPy alone."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

FRAMES, DIM, CLASSES = 25, 50, 1024  # of Flash-MNIST
BATCHES = 64  # that are trained on in turn, so that none is still in a cache
STEPS = 10  # between two looks at the clock
WITHOUT = "without Adam"  # the way to train that leaves the weights as they are: what it saves, Adam costs

Train = Callable[[int], None]  # trains that many steps, and waits for them


def videos(batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random frames (BATCHES, batch_size, FRAMES, DIM) float32 and classes (BATCHES, batch_size) int64."""
    random = np.random.default_rng(0)
    frames = random.standard_normal((BATCHES, batch_size, FRAMES, DIM), dtype=np.float32)  # (S, B, T, F)
    return frames, random.integers(0, CLASSES, (BATCHES, batch_size))  # (S, B)


def serve(framework: str, make: Callable[[dict[str, Any], str], tuple[dict[str, Train], float]]) -> None:
    """Answer requests, lines of JSON on stdin, by lines of JSON on stdout.

    - ``{"numbers": a cell's configuration, "path": FILE}`` makes its nets; the answer names the ways to train them
    - ``{"train": one of those, "seconds": S}`` trains for S seconds of processor time

    Args:
        framework: name and version.
        make: the ways to train a cell, by name, and how far its logits are off those in the file.
    """
    ways: dict[str, Train] = {}
    batch_size = 0
    for line in sys.stdin:
        request = json.loads(line)
        if "numbers" in request:
            batch_size = request["numbers"]["batch_size"]
            ways.clear()  # gives its memory back before the next takes its own
            ways, difference = make(request["numbers"], request["path"])
            for train in ways.values():
                train(STEPS)
            answer = {"framework": framework, "ways": list(ways), "difference": difference}
        else:
            steps, processor, clock = _trained(ways[request["train"]], request["seconds"])
            answer = {"videos_per_second": steps * batch_size / processor, "share": processor / clock}
        print(json.dumps(answer), flush=True)


def _trained(train: Train, seconds: float) -> tuple[int, float, float]:
    """Steps, seconds of processor time of all of this process's threads, and seconds by the clock."""
    steps, processor, clock = 0, time.process_time(), time.perf_counter()
    while time.process_time() - processor < seconds:
        train(STEPS)
        steps += STEPS
    return steps, time.process_time() - processor, time.perf_counter() - clock
