"""Records as the arrays that a net takes."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets import sampling
from datasets.errors import DataError
from datasets.record import Record
from experiments.inference.description import Description, Modality


@dataclass(frozen=True)
class Batch:
    """Some videos.

    Attributes:
        ids: their names.
        features: one array a modality, (videos, frames, width), uint8 or float32; padding is 0.
        lengths: (videos, modalities) int32 numbers of real frames.
        counts: (videos, modalities) int32 numbers of the frames that the videos have, of which the net may see some.
        files: what each video was read from.
        numbers: of their records in these.
    """

    ids: list[str]
    features: list[np.ndarray]
    lengths: np.ndarray
    counts: np.ndarray
    files: list[Path]
    numbers: list[int] = field(default_factory=list)


class Video(NamedTuple):
    """One video on its way into a batch.

    Attributes:
        id: its name.
        features: what the net sees of it, as `check` gives it.
        counts: how many frames it has, a modality each.
        file: what it was read from.
        number: of its record in it.
    """

    id: str
    features: list[np.ndarray]
    counts: list[int]
    file: Path
    number: int


def check(record: Record, net: Description, ranges: dict[str, tuple[float, float]]) -> list[np.ndarray]:
    """The features of one video as ``net`` takes them, a modality each: (frames, width).

    Args:
        record: the video.
        net: what it is for.
        ranges: what bytes of ``record`` stand for.

    Raises:
        DataError: if it does not fit.
    """
    found = [_fitting(record.features.get(own.name), own, ranges.get(own.name)) for own in net.modalities]
    if not any(len(frames) for frames in found):
        has = ", ".join(record.features) or "nothing"
        raise DataError(f"no frames of {', '.join(own.name for own in net.modalities)}; the video has {has}")
    return [_sampled(frames, net.seg_num) for frames in found]


def is_cut(record: Record, net: Description, ranges: dict[str, tuple[float, float]]) -> bool:
    """Whether ``record`` has values outside of those that the bytes stand for which ``net`` takes."""
    for own in net.modalities:
        frames, limits = record.features.get(own.name), ranges.get(own.name)
        if frames is None or not len(frames) or own.limits is None:
            continue
        if frames.dtype == np.uint8 and limits in (None, own.limits):
            continue
        low, high = float(frames.min()), float(frames.max())
        if frames.dtype == np.uint8 and limits is not None:
            low, high = (limits[0] + value * (limits[1] - limits[0]) / 255 for value in (low, high))
        half = (own.limits[1] - own.limits[0]) / 510  # of a step: so much is rounding
        if low < own.limits[0] - half or high > own.limits[1] + half:
            return True
    return False


def misfit(record: Record, net: Description) -> str | None:
    """Why no video such as ``record`` is for ``net``; None where a modality fits, or there are no frames at all."""
    found = {name: frames.shape[-1] for name, frames in record.features.items() if len(frames)}
    if not found or any(found.get(own.name) == own.width for own in net.modalities):
        return None
    takes = ", ".join(f"{own.name} ({own.width})" for own in net.modalities)
    return f"this net takes {takes}; these data have {', '.join(f'{name} ({width})' for name, width in found.items())}"


def together(videos: list[Video]) -> Batch:
    """Videos as one batch, padded to the longest."""
    features, lengths = [], []
    for frames in zip(*(video.features for video in videos), strict=True):
        count = np.array([len(own) for own in frames], np.int32)  # (B,)
        padded = np.zeros((len(frames), max(1, int(count.max())), frames[0].shape[1]), frames[0].dtype)  # (B, T, F)
        for row, own in zip(padded, frames, strict=True):
            row[: len(own)] = own
        features.append(padded)
        lengths.append(count)
    ids, _, counts, files, numbers = zip(*videos, strict=True)
    lengths_of = np.stack(lengths, axis=1)  # (B, modalities)
    return Batch(list(ids), features, lengths_of, np.array(counts, np.int32), list(files), list(numbers))


def some(batch: Batch, rows: np.ndarray) -> Batch:
    """Those videos of a batch that ``rows``, (n,), number."""
    ids, files, numbers = ([own[row] for row in rows] for own in (batch.ids, batch.files, batch.numbers))
    return Batch(ids, [own[rows] for own in batch.features], batch.lengths[rows], batch.counts[rows], files, numbers)


@functools.lru_cache(maxsize=4096)  # found for every video, it would take a third of the time beside the engine
def frames_seen(count: int, seg_num: int | None) -> np.ndarray:
    """Numbers of the frames that a net sees of ``count``: all, or the middle one of each segment; (frames,)."""
    if seg_num is None or not count:
        found = np.arange(count)  # (count,)
    else:
        found = sampling.segment_frames(np.array([count]), np.full((1, seg_num), 0.5))[0]  # (seg_num,)
    found.flags.writeable = False  # it is given to many
    return found


def _fitting(frames: np.ndarray | None, wanted: Modality, limits: tuple[float, float] | None) -> np.ndarray:
    """Features in the type that the net takes: (frames, width)."""
    kind = np.uint8 if wanted.is_bytes else np.float32
    if frames is None or not len(frames):
        return np.zeros((0, wanted.width), kind)
    if frames.ndim != 2 or frames.shape[1] != wanted.width:
        raise DataError(f"{wanted.name} has frames of shape {frames.shape[1:]}; the net takes ({wanted.width},)")
    if frames.dtype == np.uint8 and wanted.is_bytes and limits in (None, wanted.limits):
        return frames
    values = np.asarray(frames, np.float32)  # (frames, width)
    if frames.dtype == np.uint8:
        if limits is None:
            raise DataError(f"{wanted.name} is bytes, the net takes floats, and nothing says what the bytes stand for")
        values = values * np.float32((limits[1] - limits[0]) / 255) + np.float32(limits[0])
    if not np.isfinite(values).all():
        raise DataError(f"{wanted.name} has values that are not finite")
    if wanted.limits is not None:
        minimum, maximum = wanted.limits
        scaled = (values - minimum) * (255 / (maximum - minimum))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return values


def _sampled(frames: np.ndarray, seg_num: int | None) -> np.ndarray:
    """What the net sees of a modality."""
    return frames if seg_num is None else frames[frames_seen(len(frames), seg_num)]  # (seg_num, width)
