"""All shards of a split as one sequence of videos."""

from pathlib import Path

import numpy as np

from datasets import hdf5
from datasets.errors import DataError


class VideoDataset:
    """The videos of several shards, numbered from 0 in the order of the shards.

    Args:
        paths: data files (see ``datasets.hdf5``) with the same modalities, widths and classes.

    Attributes:
        feature_dims: width of each modality, in the order in which batches hold them.
        ranges: for each uint8 modality, the values that 0 and 255 stand for.
        num_classes, single_label: as in ``hdf5.Shard``.

    Raises:
        DataError: if a file cannot be read or differs from the first.
    """

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.shards = [hdf5.read(path) for path in paths]
        first = self.shards[0]
        self.feature_dims = {name: frames.shape[1] for name, frames in first.features.items()}
        self.ranges = first.ranges
        self.num_classes = first.num_classes
        self.single_label = first.single_label
        for path, shard in zip(paths, self.shards, strict=True):
            if self._kind(shard) != self._kind(first):
                raise DataError(f"{path}: modalities or classes differ from those of {paths[0]}; keep them apart")
        self._starts = np.cumsum([0] + [len(shard) for shard in self.shards])

    @classmethod
    def open(cls, folder: Path, split: str) -> "VideoDataset":
        """The shards ``<split>-NUMBER-of-TOTAL.h5`` of ``folder``.

        Raises:
            DataError: if one is missing; a split is read whole or not at all.
        """
        paths = sorted(folder.glob(f"{split}-*-of-*.h5"))
        total = int(paths[0].stem.rpartition("-")[2]) if paths else 0
        wanted = [folder / f"{split}-{number:05d}-of-{total:05d}.h5" for number in range(total)]
        if not paths or paths != wanted:
            missing = next((path.name for path in wanted if path not in paths), f"{split}-00000-of-00001.h5")
            raise DataError(f"{folder}: split {split} has no file {missing}; prepare the dataset again")
        return cls(paths)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def locate(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shard number and the number within that shard of each video in ``indices``."""
        shard_of = np.searchsorted(self._starts, indices, side="right") - 1
        return shard_of, indices - self._starts[shard_of]

    def labels_of(self, indices: np.ndarray) -> np.ndarray:
        """Multi-hot labels of the videos in ``indices``: (videos, num_classes) float32 of 0 and 1."""
        hot = np.zeros((len(indices), self.num_classes), np.float32)
        for row, (s, v) in enumerate(zip(*self.locate(indices), strict=True)):
            shard = self.shards[s]
            hot[row, shard.labels[shard.label_offsets[v] : shard.label_offsets[v + 1]]] = 1
        return hot

    def ids_of(self, indices: np.ndarray) -> list[str]:
        """Names of the videos in ``indices``."""
        return [self.shards[s].ids[v] for s, v in zip(*self.locate(indices), strict=True)]

    def fingerprint(self) -> dict[str, dict[str, int]]:
        """Checksums of every dataset of every shard: two equal fingerprints mean equal data."""
        return {path.name: hdf5.checksums(path) for path in self.paths}

    @staticmethod
    def _kind(shard: hdf5.Shard) -> tuple:
        widths = [(name, frames.shape[1], frames.dtype) for name, frames in shard.features.items()]
        return widths, shard.ranges, shard.num_classes, shard.single_label
