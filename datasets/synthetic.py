"""Synthetic videos of any shape, whose labels can be learnt from their features."""

from pathlib import Path

import numpy as np

from datasets import hdf5

FRAMES = (10, 20)  # shortest and longest video
PROTOTYPE_SEED = 20180619  # the same prototypes for every split


def write_split(
    folder: Path,
    split: str,
    videos: int,
    feature_dims: dict[str, int],
    num_classes: int,
    single_label: bool,
    seed: int,
) -> None:
    """Write ``videos`` videos as one shard of ``split``.

    Every class has a prototype in each modality; a frame shows the prototype of one of its video's labels, drawn
    at random, under noise.

    Args:
        folder: of the dataset.
        split: name of the split.
        videos: how many.
        feature_dims: width of each modality; features are uint8 that stand for -2 to 2.
        num_classes: classes, all equally likely.
        single_label: one label a video; otherwise one to five.
        seed: of everything but the prototypes.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(*FRAMES, size=videos, endpoint=True)
    counts = np.ones(videos, np.int64) if single_label else rng.integers(1, 5, size=videos, endpoint=True)
    labels = [rng.choice(num_classes, size=count, replace=False) for count in counts]
    shown = np.concatenate([rng.choice(own, size=length) for own, length in zip(labels, lengths, strict=True)])
    features, offsets = {}, {}
    for number, (modality, dim) in enumerate(feature_dims.items()):
        prototypes = np.random.default_rng([PROTOTYPE_SEED, number]).normal(128, 40, (num_classes, dim))
        frames = prototypes[shown] + rng.normal(0, 40, (len(shown), dim))  # (frames, dim)
        features[modality] = frames.round().clip(0, 255).astype(np.uint8)
        offsets[modality] = np.concatenate([[0], np.cumsum(lengths)])
    shard = hdf5.Shard(
        features=features,
        offsets=offsets,
        labels=np.concatenate(labels),
        label_offsets=np.concatenate([[0], np.cumsum(counts)]),
        ids=[f"{split}-{number}" for number in range(videos)],
        num_classes=num_classes,
        single_label=single_label,
        ranges=dict.fromkeys(feature_dims, (-2.0, 2.0)),
        source=f"synthetic, seed {seed}",
    )
    hdf5.write(folder / f"{split}-00000-of-00001.h5", shard)
