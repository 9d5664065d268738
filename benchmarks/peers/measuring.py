"""What all sides of a comparison do alike: make videos, work for a while, answer. NumPy alone."""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

TOGETHER_BYTES = 64 << 20  # of the batches that are worked on in turn, so that none is still in a cache
MOST_BATCHES = 256
CHECKED_VIDEOS = 8  # the first ones of all, by which the logits of all sides are held against each other
LABELS = 3  # of a video that may have many
GEMM_TRIES = 5
WEIGHTS = "weights.npz"
WHOLE = "whole"  # the way to train that computes a batch in one piece, where ours would not
PLAIN = "plain"  # the way of ours that multiplies large layers as Gluon does
WITHOUT = "without optimizer"  # the way to train that leaves the weights as they are: what it saves, that one costs


@dataclass(frozen=True)
class Case:
    """What is computed, the same on all sides.

    Attributes:
        mode: "train" or "predict".
        numbers: a flat configuration, as `experiments.registry.flatten` has it.
        batch_size: B.
        frames: T of every video.
        feature_dims: width of each modality.
        ranges: the values that 0 and 255 stand for, by modality; empty where features are floats.
        classes: C.
        single_label: whether the loss is a softmax's; else it is the sum of the classes' sigmoids'.
        steps: between two looks at the clock.
    """

    mode: str
    numbers: dict[str, Any]
    batch_size: int
    frames: int
    feature_dims: dict[str, int]
    ranges: dict[str, Sequence[float]]
    classes: int
    single_label: bool
    steps: int = 1


@dataclass(frozen=True)
class Videos:
    """A batch.

    Attributes:
        features: of each modality, (B, T, F), uint8 or float32.
        labels: (B,) int64 class numbers, or (B, C) float32 of 0 and 1.
    """

    features: list[np.ndarray]
    labels: np.ndarray


@dataclass(frozen=True)
class Epoch:
    """An epoch of training from data files.

    Attributes:
        folder: where they lie.
        index: what of them a peer reads, as `benchmarks.index` writes it.
        order: "sorted", where batches are of videos of like length, or "random".
        number: which epoch.
        first, count: train on so many batches, from this one on.
    """

    folder: str
    index: str
    order: str
    number: int
    first: int
    count: int


@dataclass
class Counted:
    """What an epoch had, frames of all its videos together: those that are real, and with padding."""

    videos: int = 0
    real_frames: int = 0
    padded_frames: int = 0

    def add(self, lengths: np.ndarray, frames: int) -> None:
        """One batch of videos of these lengths, (B,), as arrays of so many ``frames`` each."""
        self.videos += len(lengths)
        self.real_frames += int(lengths.sum())
        self.padded_frames += len(lengths) * frames


@dataclass(frozen=True)
class Way:
    """One way to do a case's work.

    Attributes:
        step: do it for the batch of this number.
        wait: until all of it is done.
        logits: of the first batch's first videos, by the weights that all sides share.
        epoch: train on what data files hold, where the way can.
    """

    step: Callable[[int], None]
    wait: Callable[[], None]
    logits: np.ndarray
    epoch: Callable[[Epoch], Counted] | None = None


Make = Callable[[Case, Path, list[str], list[Videos]], dict[str, Way]]  # the ways of these names, with saved weights
Save = Callable[[Case, Path, list[np.ndarray]], None]  # new weights, and their logits of some videos
Gemm = Callable[[np.ndarray], Callable[[], None]]  # a product of a square matrix with itself, waited for


def batches(case: Case) -> list[Videos]:
    """Random videos; the first of them are the same for any batch size."""
    checked = _videos(case, CHECKED_VIDEOS, seed=0)
    bytes_each = sum(frames[0].nbytes for frames in checked.features) * case.batch_size
    count = min(MOST_BATCHES, 1 + TOGETHER_BYTES // bytes_each)
    found = [_videos(case, case.batch_size, seed) for seed in range(1, 1 + count)]
    for own, first in zip(found[0].features, checked.features, strict=True):
        own[:CHECKED_VIDEOS] = first[: len(own)]
    return found


def saved(folder: Path) -> dict[str, np.ndarray]:
    """Weights by torch's names and "logits", as our side has written them."""
    with np.load(folder / WEIGHTS) as file:
        return dict(file)


def to_floats(limits: Sequence[float]) -> tuple[float, float]:
    """What bytes are multiplied by, and what is added then."""
    minimum, maximum = limits
    return (maximum - minimum) / 255, minimum


def serve(framework: str, make: Make, gemm: Gemm, save: Save | None = None) -> None:
    """Answer requests, lines of JSON on stdin, by lines of JSON on stdout.

    - ``{"save": a case, "folder": FOLDER}`` writes a net's weights and logits
    - ``{"load": a case, "folder": FOLDER, "ways": NAMES}`` makes nets of them, one for each way to work with it; the
      answer has by how much their logits differ from those, as a share of the largest
    - ``{"run": one of these ways, "seconds": S}`` works for S seconds of the clock or, with ``"processor": true``, of
      processor time
    - ``{"epoch": one of these ways, "of": an epoch}`` trains from files to updated
      weights; ``"processor"`` as above, without what loads beside this process
    - ``{"gemm": N}`` multiplies matrices of N rows; ``"processor"`` as above
    """
    ways: dict[str, Way] = {}
    case: Case | None = None
    for request in requests():
        answer: dict[str, Any] = {"framework": framework}
        if "save" in request:
            assert save is not None
            case = Case(**request["save"])
            save(case, Path(request["folder"]), _videos(case, CHECKED_VIDEOS, seed=0).features)
        elif "load" in request:
            ways.clear()  # gives its memory back before the next takes its own
            case, folder = Case(**request["load"]), Path(request["folder"])
            ways = make(case, folder, request["ways"], batches(case))
            logits = saved(folder)["logits"]
            answer["difference"] = max(_difference(way.logits, logits) for way in ways.values())
            forget_peak()
            for way in ways.values():
                _work(way, 0, case.steps)
        elif "gemm" in request:
            answer["gflops"] = _gflops(gemm, request["gemm"], request.get("processor", False))
        elif "epoch" in request:
            answer |= _epoch(ways[request["epoch"]], Epoch(**request["of"]), request.get("processor", False))
        else:
            assert case is not None
            answer |= _run(ways[request["run"]], case, request["seconds"], request.get("processor", False))
        reply(**answer)


def requests() -> Iterator[dict[str, Any]]:
    """What `sides.Side` asks of this process."""
    return map(json.loads, sys.stdin)


def reply(**answer: Any) -> None:
    """Answer the last one."""
    print(json.dumps(answer), flush=True)


def _videos(case: Case, count: int, seed: int) -> Videos:
    random = np.random.default_rng(seed)
    features = []
    for name, width in case.feature_dims.items():
        shape = count, case.frames, width
        if name in case.ranges:
            features.append(random.integers(0, 256, shape, np.uint8))  # (B, T, F)
        else:
            features.append(random.standard_normal(shape, np.float32))  # (B, T, F)
    classes = random.integers(0, case.classes, (count, 1 if case.single_label else LABELS))
    if case.single_label:
        return Videos(features, classes[:, 0])
    labels = np.zeros((count, case.classes), np.float32)  # (B, C)
    np.put_along_axis(labels, classes, 1, axis=1)
    return Videos(features, labels)


def _difference(own: np.ndarray, expected: np.ndarray) -> float:
    count = min(len(own), len(expected))
    difference = float(np.abs(own[:count] - expected[:count]).max() / np.abs(expected).max())
    return difference if np.isfinite(difference) else float("inf")


def _work(way: Way, first: int, steps: int) -> None:
    for number in range(first, first + steps):
        way.step(number)
    way.wait()


def _run(way: Way, case: Case, seconds: float, by_processor: bool) -> dict[str, float]:
    """Videos a second of the clock and of processor time, the processors in use, and the most memory so far.

    The speed is the median of those between two looks at the clock: something else takes the machine now and then.
    """
    now = time.process_time if by_processor else time.perf_counter
    steps, begin = 0, now()
    processors, clocks = [time.process_time()], [time.perf_counter()]
    while not steps or now() - begin < seconds:
        _work(way, steps, case.steps)
        steps += case.steps
        processors.append(time.process_time())
        clocks.append(time.perf_counter())
    videos = case.steps * case.batch_size
    return {
        "videos_per_second": videos / float(np.median(np.diff(clocks))),
        "videos_per_processor_second": videos / float(np.median(np.diff(processors))),
        "processors": (processors[-1] - processors[0]) / (clocks[-1] - clocks[0]),
        "peak_bytes": peak(),
    }


def _epoch(way: Way, epoch: Epoch, by_processor: bool) -> dict[str, float]:
    """What it had, the seconds it took, and the most memory so far."""
    assert way.epoch is not None
    now = time.process_time if by_processor else time.perf_counter
    begin = now()
    counted = way.epoch(epoch)
    way.wait()
    return {**asdict(counted), "seconds": now() - begin, "peak_bytes": peak()}


def _gflops(gemm: Gemm, size: int, by_processor: bool) -> float:
    """Of the fastest of a few products: 10^9 multiplications and additions a second."""
    now = time.process_time if by_processor else time.perf_counter
    multiply = gemm(np.random.default_rng(0).standard_normal((size, size), np.float32))
    multiply()
    times = []
    for _ in range(GEMM_TRIES):
        begin = now()
        multiply()
        times.append(now() - begin)
    return 2 * size**3 / min(times) / 1e9


def forget_peak() -> None:
    """From here on the most memory is counted anew; loading weights has taken some that work does not need."""
    with contextlib.suppress(OSError):  # where the system does not let it, loading counts
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of resident memory, at most so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def threads() -> int:
    """How many of them a side is to compute with."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
