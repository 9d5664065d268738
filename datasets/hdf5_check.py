"""Verifies and describes data files: what ``python -m datasets.hdf5 check`` and ``show`` print."""

import sys
import zlib
from pathlib import Path

import h5py
import numpy as np

from datasets import command, hdf5
from datasets.errors import DataError, one_line
from datasets.hdf5 import SEGMENT_COLUMNS, Shard
from datasets.record import FEATURE_TYPES


def check(path: Path, features: bool = True) -> int:
    """Verify one file: structure, attributes, offsets, labels, ids and the checksum of every dataset.

    Args:
        path: the file.
        features: read the features too, which are nearly all of it.

    Returns:
        Its number of videos.

    Raises:
        DataError: with the first flaw.
    """
    shard = hdf5.read(path)
    try:
        _check_content(shard, features)
        check_sums(path, features)
    except Exception as error:  # a damaged file may raise anything
        raise DataError(f"{path}: {one_line(error)}; remove it and make it again") from error
    return len(shard)


def describe(path: Path) -> str:
    """What is in one file, for a person.

    Raises:
        DataError: if it cannot be read.
    """
    shard = hdf5.read(path)
    try:
        return _description(path, shard)
    except Exception as error:  # a damaged file may raise anything
        raise DataError(f"{path}: flawed ({one_line(error)}); remove it and make it again") from error


def report(action: str, paths: list[Path]) -> int:
    """Check or show all of ``paths``; the exit code is 1 if any file is flawed."""
    flawed = 0
    for path in paths:
        try:
            if action == "check":
                command.say(f"{path}: ok, {check(path):,} videos")
            else:
                command.say(describe(path))
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            flawed = 1
    return flawed


def check_sums(path: Path, features: bool = True) -> None:
    """Verify the checksums of the attributes and of all datasets, those of features if wanted.

    Raises:
        DataError: with the first that is wrong.
    """
    wanted = hdf5.checksums(path)
    with h5py.File(path, "r") as file:
        crc = int(file.attrs.get(hdf5.ATTRIBUTES_CRC, -1))
        if crc != hdf5.attributes_crc(file):
            state = "not as they were written" if crc >= 0 else "without a checksum, as earlier versions wrote them"
            raise DataError(f"attributes: {state}")
        for name, crc in wanted.items():
            if name.startswith("features/") and not features:
                continue
            dataset, found = file[name], 0
            rows = max(1, hdf5.WRITTEN_BYTES // max(1, dataset[:1].nbytes))
            for start in range(0, len(dataset), rows):
                found = zlib.crc32(dataset[start : start + rows].data.cast("B"), found)
            if found != crc:
                raise DataError(f"{name}: checksum {found:08x}, and it was {crc:08x} when the file was written")


def _description(path: Path, shard: Shard) -> str:
    labels = np.diff(shard.label_offsets)
    lines = [
        f"{path}",
        f"  videos      {len(shard):,}{_examples(shard.ids)}",
        f"  labels      {len(shard.labels):,} in all, from {shard.num_classes:,} classes{_spread(labels, 'a video')}",
    ]
    lines += [f"  {name:<11} {_describe_modality(shard, name)}" for name in shard.features]
    if shard.segment_offsets is not None:
        rated = np.count_nonzero(np.diff(shard.segment_offsets))
        lines.append(f"  segments    {len(shard.segments['labels']):,} rated, in {rated:,} videos")
    lines += [f"  made from   {shard.source}", f"  made by     {shard.command}"]
    lines += [f"  left out    {line}" for line in shard.skipped]
    return "\n".join(lines)


def _check_content(shard: Shard, features: bool) -> None:
    videos = len(shard)
    if len(set(shard.ids)) < videos or not all(shard.ids):
        raise DataError("ids: some are empty or occur twice")
    if not shard.features:
        raise DataError("features: there are none")
    for name, frames in shard.features.items():
        if frames.ndim != 2 or frames.dtype not in FEATURE_TYPES:
            raise DataError(
                f"features/{name}: {frames.dtype} of shape {frames.shape}, not (frames, dim) uint8 or float"
            )
        if features and frames.dtype.kind == "f" and not np.isfinite(frames).all():
            raise DataError(f"features/{name}: some values are not finite")
        _check_offsets(f"offsets/{name}", shard.offsets[name], videos, len(frames))
    for name, (low, high) in shard.ranges.items():
        if not low < high or shard.features[name].dtype != np.uint8:
            raise DataError(f"features/{name}: minimum {low} and maximum {high} are no range of bytes")
    _check_offsets("label_offsets", shard.label_offsets, videos, len(shard.labels))
    _check_labels("labels", shard.labels, shard.num_classes)
    if shard.single_label and (np.diff(shard.label_offsets) != 1).any():
        raise DataError("label_offsets: single_label is set, but some video has none or several")
    if shard.segment_offsets is not None:
        if {name: column.dtype for name, column in shard.segments.items()} != SEGMENT_COLUMNS:
            raise DataError(f"segments: columns are not {', '.join(SEGMENT_COLUMNS)}")
        for name, column in shard.segments.items():
            _check_offsets(f"segments/{name}", shard.segment_offsets, videos, len(column))
        _check_labels("segments/labels", shard.segments["labels"], shard.num_classes)
        if not (shard.segments["start_times"] < shard.segments["end_times"]).all():
            raise DataError("segments: some end before they begin")


def _check_offsets(name: str, offsets: np.ndarray, videos: int, end: int) -> None:
    if offsets.shape != (videos + 1,) or offsets.dtype != np.int64:
        raise DataError(f"{name}: {offsets.dtype} of shape {offsets.shape}, not ({videos + 1},) int64")
    if offsets[0] != 0 or offsets[-1] != end or (np.diff(offsets) < 0).any():
        raise DataError(f"{name}: do not rise from 0 to {end}")


def _check_labels(name: str, labels: np.ndarray, num_classes: int) -> None:
    if labels.dtype != np.int32 or labels.ndim != 1:
        raise DataError(f"{name}: {labels.dtype} of shape {labels.shape}, not (labels,) int32")
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise DataError(f"{name}: from {labels.min()} to {labels.max()}, and there are {num_classes} classes")


def _describe_modality(shard: Shard, name: str) -> str:
    frames, counts = shard.features[name], np.diff(shard.offsets[name])
    text = f"{len(frames):,} frames of {frames.shape[1]:,} {frames.dtype}"
    if name in shard.ranges:
        text += " for {:g} to {:g}".format(*shard.ranges[name])
    text += _spread(counts[counts > 0], "a video")
    lacking = np.count_nonzero(counts == 0)
    return text + (f"; {lacking:,} video{' lacks' if lacking == 1 else 's lack'} it" if lacking else "")


def _spread(counts: np.ndarray, unit: str) -> str:
    if not counts.size:
        return ""
    if counts.min() == counts.max():
        return f", {counts.min()} {unit}"
    return f", {counts.min()} to {counts.max()} {unit}, mean {counts.mean():.1f}"


def _examples(ids: list[str]) -> str:
    return f", the first is {ids[0]}, the last {ids[-1]}" if ids else ""
