"""What `benchmarks.scale` measures in a process each: ``python -m benchmarks.scale_parts PART COUNT FOLDER``.

A part prints one line of JSON.
"""

import json
import re
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from datasets.layout import YOUTUBE8M_CLASSES
from datasets.loader import Loader
from datasets.video_dataset import VideoDataset

BATCH_SIZE = 256
FRAMES = 100  # a video that the loader chooses, as Attention Cluster wants them
PREDICTED = 8  # different batches of predictions, taken by turns
SORTED = 20_000  # videos that are loaded of an epoch sorted by length, whose order is that of all of them
BLOCK = 10_000  # values of a log that are timed together
LOOK_SECONDS = 0.01


class Memory:
    """A process's own memory, at most: without mapped files, which the system may drop at any time."""

    def __init__(self) -> None:
        self.before = self.most = _own_bytes()

    @property
    def growth(self) -> int:
        """Bytes since the start."""
        return self.most - self.before


@contextmanager
def watched() -> Iterator[Memory]:
    """Looks at the memory a hundred times a second."""
    memory, ended = Memory(), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            memory.most = max(memory.most, _own_bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        memory.most = max(memory.most, _own_bytes())
        ended.set()
        thread.join()


def loader(videos: int, folder: Path) -> dict[str, float]:
    """Opening, an epoch of chosen frames in a random order, and the first batch of one that is sorted by length."""
    with watched() as memory:
        begin = time.process_time()
        dataset = VideoDataset.open(folder, "train")
        opened = time.process_time() - begin
    assert len(dataset) == videos
    with watched() as in_epoch:
        begin = time.process_time()
        for _ in Loader(dataset, BATCH_SIZE, FRAMES, training=True).epoch():
            pass
        chosen = time.process_time() - begin
    every = max(1, videos // SORTED)
    with watched() as in_order:
        begin, loaded = time.process_time(), 0
        for batch in Loader(dataset, BATCH_SIZE, None, training=True).epoch(every=every):
            loaded += len(batch.indices)
        all_frames = time.process_time() - begin
    return {
        "open_us": opened / videos * 1e6,
        "open_bytes": memory.growth,
        "epoch_us": chosen / videos * 1e6,
        "epoch_bytes": in_epoch.growth,
        "sorted_us": all_frames / loaded * 1e6,
        "sorted_bytes": in_order.growth,
    }


def metrics(videos: int, folder: Path) -> dict[str, float]:  # noqa: ARG001
    """All metrics, fed with predictions made before."""
    from evaluation import MetricSet

    random = np.random.default_rng(0)
    predictions = [random.random((BATCH_SIZE, YOUTUBE8M_CLASSES), np.float32) for _ in range(PREDICTED)]  # (B, C) each
    labels = [(own > random.uniform(0.999, 0.9993, (BATCH_SIZE, 1))).astype(np.float32) for own in predictions]
    own = MetricSet()
    with watched() as memory:
        begin = time.process_time()
        for number, start in enumerate(range(0, videos, BATCH_SIZE)):
            rows = slice(0, min(BATCH_SIZE, videos - start))
            # Other last digits in each batch: as many different scores as there are with a net's.
            scores = predictions[number % PREDICTED][rows] * np.float32(1 + number * 1e-6)  # (B, C)
            own.update(scores, labels[number % PREDICTED][rows])
        fed = time.process_time() - begin
    with watched() as at_end:
        begin = time.process_time()
        own.get()
        judged = time.process_time() - begin
    return {
        "update_us": fed / videos * 1e6,
        "update_bytes": memory.growth,
        "get_us": judged / videos * 1e6,
        "get_bytes": at_end.growth,
    }


def evaluation(videos: int, folder: Path) -> dict[str, float]:
    """The whole evaluation of a run, with a net of a few units and a frame a video."""
    import mxnet as mx

    from experiments.training import evaluate
    from gluon_models import zoo
    from gluon_models.dequantize import Dequantized

    dataset = VideoDataset.open(folder, "train")
    model = zoo.create(
        "attention_cluster",
        feature_dims=dataset.feature_dims,
        num_classes=dataset.num_classes,
        cluster_nums=1,
        attention="fc1",
        shifting=True,
        hidden_units=[8],
        dropout=0.0,
    )
    model.initialize()
    net = Dequantized(model, dataset.ranges)
    net.hybridize(static_alloc=True, static_shape=True)
    with watched() as memory:
        begin = time.process_time()
        evaluate(net, Loader(dataset, BATCH_SIZE, 1, training=False), "sigmoid_cross_entropy", [mx.cpu()])
        seconds = time.process_time() - begin
    return {"evaluate_us": seconds / videos * 1e6, "evaluate_bytes": memory.growth}


def log(values: int, folder: Path) -> dict[str, float]:  # noqa: ARG001
    """Logged values one after the other: the first and the last block of them, and the rest of what the run costs."""
    from benchmarks import logged

    def steps(log_scalar: logged.LogScalar) -> list[float]:
        times = []
        for first in range(0, values, BLOCK):
            begin, last = time.thread_time(), min(first + BLOCK, values)
            for step in range(first, last):
                log_scalar("train.loss", 1 / (step + 1), step)
            times.append((time.thread_time() - begin) / (last - first) * 1e6)
        return times

    with watched() as memory:
        begin = time.process_time()
        times = logged.run(steps)
        all_us = (time.process_time() - begin) / values * 1e6
    return {
        "first_us": times[0],
        "last_us": times[-1],
        "beside_us": all_us - sum(times) / len(times),
        "log_bytes": memory.growth,
    }


PARTS: dict[str, Callable[[int, Path], dict[str, float]]] = {
    own.__name__: own for own in (loader, metrics, evaluation, log)
}


def _own_bytes() -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def main(words: list[str]) -> None:
    """Measure one part and print what was found."""
    part, count, folder = words
    found = PARTS[part](int(count), Path(folder))
    print(json.dumps({**found, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main(sys.argv[1:])
