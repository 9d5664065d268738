"""Where the videos lie in data files, for who maps those into memory without reading HDF5."""

from pathlib import Path

import numpy as np

from datasets.video_dataset import VideoDataset


def write(dataset: VideoDataset, path: Path) -> None:
    """Write, as NumPy's .npz, where each shard's frames lie in its file, and each video's frames in them."""
    everything = np.arange(len(dataset))
    shards, _ = dataset.locate(everything)  # (videos,)
    labels = [np.flatnonzero(dataset.labels_of(everything[video : video + 1])[0]) for video in everything]
    ends = np.cumsum([0, *map(len, labels)])  # (videos + 1,)
    of_modalities = {}
    for name in dataset.feature_dims:
        of_modalities[f"frames.{name}"] = np.stack(dataset.frames_of(name, everything), axis=1)  # (videos, 2)
        maps = [shard.features[name] for shard in dataset.shards]
        of_modalities[f"places.{name}"] = np.array([(own.offset, *own.shape) for own in maps])  # (shards, 3)
    np.savez(
        path,
        modalities=list(dataset.feature_dims),
        paths=[str(own) for own in dataset.paths],
        shards=shards,
        labels=np.concatenate(labels),
        label_offsets=np.stack([ends[:-1], ends[1:]], axis=1),  # (videos, 2)
        classes=dataset.num_classes,
        **of_modalities,
    )
