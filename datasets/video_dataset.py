"""All shards of a split as one sequence of videos."""

import resource
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets import hdf5
from datasets.errors import DataError


class Kind(NamedTuple):
    """What datasets must share to be used together: a network that fits one then fits the other.

    Attributes:
        modalities: name, width, dtype and range (the values that 0 and 255 stand for, None for floats) of each, in
            the order in which batches hold them.
        num_classes, single_label: as in ``hdf5.Shard``.
    """

    modalities: tuple[tuple[str, int, np.dtype, tuple[float, float] | None], ...]
    num_classes: int
    single_label: bool

    def __str__(self) -> str:
        parts = [
            f"{name} {width} {dtype}" + (f" ({values[0]:g} to {values[1]:g})" if values else "")
            for name, width, dtype, values in self.modalities
        ]
        return f"{', '.join(parts)}, {self.num_classes} classes{', one a video' if self.single_label else ''}"


class VideoDataset:
    """The videos of several shards, numbered from 0 in the order of the shards.

    Args:
        paths: data files (see ``datasets.hdf5``) with the same modalities, widths and classes.

    Attributes:
        feature_dims: width of each modality, in the order in which batches hold them.
        frames: of each modality, each shard's frames: (frames, dim) arrays mapped from the files.
        ranges: for each uint8 modality, the values that 0 and 255 stand for.
        num_classes, single_label: as in ``hdf5.Shard``.
        kind: all of this, to be compared with another dataset's.

    Raises:
        DataError: if a file cannot be read or differs from the first, or there is no video in any.
    """

    def __init__(self, paths: list[Path]):
        self.paths = paths
        _allow_open_files(4 * len(paths))
        self.shards = [hdf5.read(path) for path in paths]
        first = self.shards[0]
        self.feature_dims = {name: frames.shape[1] for name, frames in first.features.items()}
        self.ranges = first.ranges
        self.num_classes = first.num_classes
        self.single_label = first.single_label
        self.kind = _kind(first)
        for path, shard in zip(paths, self.shards, strict=True):
            if _kind(shard) != self.kind:
                raise DataError(f"{path}: modalities or classes differ from those of {paths[0]}; keep them apart")
        # As plain arrays: each access to a memmap makes an object that costs more than a small copy.
        self.frames = {name: [np.asarray(shard.features[name]) for shard in self.shards] for name in self.feature_dims}
        self._starts = np.cumsum([0] + [len(shard) for shard in self.shards])
        if not len(self):
            raise DataError(f"{paths[0]}: no video in it, nor in others of its split; prepare the dataset again")
        # A video's first frame and number of frames, and its labels, looked up for a whole batch at once.
        self._offsets = {
            name: np.concatenate([shard.offsets[name] for shard in self.shards]) for name in self.feature_dims
        }  # (videos + shards,): every shard brings one more offset than it has videos
        self._label_offsets = np.concatenate([shard.label_offsets for shard in self.shards])  # (videos + shards,)
        self._labels = np.concatenate([shard.labels for shard in self.shards])
        sizes = [len(shard.labels) for shard in self.shards]
        self._first_label = np.cumsum([0, *sizes[:-1]])  # (shards,)

    @classmethod
    def open(cls, folder: Path, split: str) -> "VideoDataset":
        """The shards ``<split>-NUMBER-of-TOTAL.h5`` of ``folder``.

        Raises:
            DataError: if one is missing, or they were not made together; a split is read whole or not at all.
        """
        paths = hdf5.shard_files(folder, split)
        total = int(paths[0].stem.rpartition("-")[2]) if paths else 1
        wanted = [folder / hdf5.shard_name(split, number, total) for number in range(total)]
        if missing := sorted(set(wanted) - set(paths)):
            raise DataError(f"{folder}: split {split} has no file {missing[0].name}; prepare the dataset again")
        if other := sorted(set(paths) - set(wanted)):
            raise DataError(
                f"{other[0]}: beside {wanted[0].name}, so that of two datasets; remove what does not belong"
            )
        dataset = cls(paths)
        for path, shard in zip(paths, dataset.shards, strict=True):
            if shard.conversion != dataset.shards[0].conversion:
                raise DataError(f"{path}: not made together with {paths[0].name}; prepare the dataset again")
        return dataset

    def __len__(self) -> int:
        return int(self._starts[-1])

    def locate(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shard number and the number within that shard of each video in ``indices``."""
        shard_of = np.searchsorted(self._starts, indices, side="right") - 1
        return shard_of, indices - self._starts[shard_of]

    def frames_of(self, modality: str, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the first frame within its shard, and number of frames, of each video in ``indices``."""
        at = indices + self.locate(indices)[0]
        first = self._offsets[modality][at]
        return first, self._offsets[modality][at + 1] - first

    def lengths(self) -> np.ndarray:
        """Frames of each video, of that of its modalities that has most: (videos,)."""
        everything = np.arange(len(self))
        return np.max([self.frames_of(modality, everything)[1] for modality in self.feature_dims], axis=0)

    def labels_of(self, indices: np.ndarray) -> np.ndarray:
        """Multi-hot labels of the videos in ``indices``: (videos, num_classes) float32 of 0 and 1."""
        shard_of, _ = self.locate(indices)
        first = self._label_offsets[indices + shard_of]
        count = self._label_offsets[indices + shard_of + 1] - first
        row = np.repeat(np.arange(len(indices)), count)  # (labels,)
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)  # (labels,) within its video
        hot = np.zeros((len(indices), self.num_classes), np.float32)
        hot[row, self._labels[np.repeat(first + self._first_label[shard_of], count) + place]] = 1
        return hot

    def ids_of(self, indices: np.ndarray) -> list[str]:
        """Names of the videos in ``indices``."""
        return [self.shards[s].ids[v] for s, v in zip(*self.locate(indices), strict=True)]

    def fingerprint(self) -> dict[str, dict[str, int]]:
        """Checksums of every dataset of every shard: two equal fingerprints mean equal data."""
        return {path.name: hdf5.checksums(path) for path in self.paths}


def _kind(shard: hdf5.Shard) -> Kind:
    modalities = tuple(
        (name, frames.shape[1], frames.dtype, shard.ranges.get(name)) for name, frames in shard.features.items()
    )
    return Kind(modalities, shard.num_classes, shard.single_label)


def _allow_open_files(number: int) -> None:
    """Raise this process's limit of open files, where it is lower and may be raised: every map holds one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
