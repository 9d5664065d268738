"""A dataset again with standardised features: each of mean 0 and standard deviation 1 over its training frames."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from datasets import hdf5
from datasets.video_dataset import VideoDataset


def build(source: Path, folder: Path) -> None:
    """Make ``folder``'s shards from those of ``source``, by the statistics of the latter's split ``train``.

    Shards that are there already, and of the same source, are kept.

    Args:
        source: folder of a dataset; of bytes it makes no difference what values they stand for.
        folder: where the new one goes.

    Raises:
        DataError: if ``source`` is not whole.
    """
    train = VideoDataset.open(source, "train")
    mean, deviation = _statistics(train)
    checksum = zlib.crc32(json.dumps([hdf5.checksums(path) for path in sorted(source.glob("*.h5"))]).encode())
    words = f"{source.name} (crc32 of its checksums {checksum:08x}), standardised by its training frames"
    for path in tqdm(sorted(source.glob("*.h5")), desc="standardising", unit=" shards", dynamic_ncols=True):
        target = folder / path.name
        if target.exists() and hdf5.read(target).source == words:
            continue
        shard = hdf5.read(path)
        features = {
            name: ((frames - mean[name]) / deviation[name]).astype(np.float32)  # (frames, dim)
            for name, frames in shard.features.items()
        }
        hdf5.write(target, replace(shard, features=features, ranges={}, source=words))


def _statistics(train: VideoDataset) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each modality's mean and standard deviation, (dim,) float64; 1 for a feature that never changes."""
    means, deviations = {}, {}
    for name, shards in train.frames.items():
        count = sum(len(frames) for frames in shards)
        mean = sum(frames.sum(axis=0, dtype=np.float64) for frames in shards) / count  # (dim,)
        variance = sum(np.square(frames - mean).sum(axis=0) for frames in shards) / count  # (dim,)
        means[name], deviations[name] = mean, np.where(variance > 0, np.sqrt(variance), 1.0)
    return means, deviations
