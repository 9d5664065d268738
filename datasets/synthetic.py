"""Synthetic videos in the shape of a real dataset, whose labels can be learnt from their features.

Every class has a prototype, a vector a modality. A frame shows the prototype of one of its video's labels, drawn at
random, or, as often, one of a few backgrounds that say nothing of the labels; both under noise. So a network that
finds the telling frames does better than one that averages.

``python -m datasets.synthetic --out DIR`` makes a stand-in for YouTube-8M's frame level.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from datasets import command, hdf5, sequence_example, tfrecord
from datasets.errors import DataError
from datasets.record import Record

RANGE = (4 / 512 - 2, 4 / 512 + 2)  # what 0 and 255 stand for, as in YouTube-8M
BACKGROUNDS = 16
BACKGROUND_SHARE = 0.5  # of the frames
NOISE_STD, NOISE_LIMIT = 24.0, 60  # in steps of a byte; prototypes keep as far from 0 and 255, so that nothing clips
PROTOTYPE_SEED = 20180619  # the same prototypes in every split
VIDEOS_PER_SHARD = 1000
CLASS_COUNTS = Path(__file__).with_name("youtube8m_class_counts.txt")


@dataclass(frozen=True)
class Shape:
    """What synthetic videos share with a real dataset.

    Attributes:
        feature_dims: width of each modality.
        class_weights: (classes,) how often each class is a label, in any unit.
        mean_labels: labels a video on average; None for exactly one.
        shortest, longest: frames of a video, drawn uniformly.
    """

    feature_dims: dict[str, int]
    class_weights: np.ndarray
    mean_labels: float | None
    shortest: int
    longest: int


def youtube8m() -> Shape:
    """YouTube-8M's frame level: 3862 classes, as frequent as in its training data; 3.0 labels, 120 to 300 frames."""
    return Shape({"rgb": 1024, "audio": 128}, np.loadtxt(CLASS_COUNTS), 3.0, 120, 300)


def shards(shape: Shape, split: str, videos: int, seed: int) -> Iterator[hdf5.Shard]:
    """``videos`` videos of ``split`` in shards of at most 1,000, one in memory at a time."""
    made_of = [shape.feature_dims, shape.class_weights.tolist(), shape.mean_labels, shape.shortest, shape.longest]
    conversion = hashlib.sha256(repr([made_of, split, videos, seed, VIDEOS_PER_SHARD]).encode()).hexdigest()[:32]
    for number, first in enumerate(range(0, videos, VIDEOS_PER_SHARD)):
        rng = np.random.default_rng([seed, *split.encode(), number])
        names = [f"{split}-{video:07d}" for video in range(first, min(first + VIDEOS_PER_SHARD, videos))]
        yield _shard(shape, names, rng, source=f"synthetic, seed {seed}", conversion=conversion)


def write_split(folder: Path, shape: Shape, split: str, videos: int, seed: int) -> None:
    """Write ``videos`` videos of ``split`` into ``folder`` as data files."""
    total = -(-videos // VIDEOS_PER_SHARD)
    with _bar(split, videos) as bar:
        for number, shard in enumerate(shards(shape, split, videos, seed)):
            hdf5.write(folder / hdf5.shard_name(split, number, total), shard)
            bar.update(len(shard))


def write_tfrecords(folder: Path, shape: Shape, split: str, videos: int, seed: int) -> None:
    """Write the same videos as YouTube-8M's frame-level TFRecords, ``<split>0000.tfrecord`` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    with _bar(split, videos) as bar:
        for number, shard in enumerate(shards(shape, split, videos, seed)):
            tfrecord.write(folder / f"{split}{number:04d}.tfrecord", map(sequence_example.serialize, _records(shard)))
            bar.update(len(shard))


def main(arguments: list[str]) -> int:
    """Write a training and a validation split; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m datasets.synthetic", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--train", type=command.positive, default=20_000, help="videos (%(default)s: 4.9 GB)")
    parser.add_argument("--validate", type=command.positive, default=2_000, help="videos (%(default)s)")
    parser.add_argument("--seed", type=command.natural, default=0, help="(%(default)s)")
    parser.add_argument("--tfrecord", action="store_true", help="TFRecord files instead of data files")
    given = parser.parse_args(arguments)
    write = write_tfrecords if given.tfrecord else write_split

    def make() -> int:
        if given.out.exists() and any(given.out.iterdir()):
            raise DataError(f"{given.out}: not empty; name another folder")
        for split, videos in (("train", given.train), ("validate", given.validate)):
            write(given.out, youtube8m(), split, videos, given.seed)
        return 0

    return command.run(make, f"remove {given.out} before the next try")


def _records(shard: hdf5.Shard) -> Iterator[Record]:
    for video, name in enumerate(shard.ids):
        features = {
            modality: frames[slice(*shard.offsets[modality][video : video + 2])]
            for modality, frames in shard.features.items()
        }
        yield Record(name, shard.labels[slice(*shard.label_offsets[video : video + 2])], features)


def _bar(split: str, videos: int) -> tqdm:
    return tqdm(desc=f"synthetic {split}", total=videos, unit=" videos", dynamic_ncols=True, delay=1)


def _shard(shape: Shape, names: list[str], rng: np.random.Generator, source: str, conversion: str) -> hdf5.Shard:
    videos = len(names)
    lengths = rng.integers(shape.shortest, shape.longest, size=videos, endpoint=True)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels, counts = _labels(shape, videos, rng)
    label_offsets = np.concatenate([[0], np.cumsum(counts)])
    # Each frame: which of its video's labels it shows, or else which background.
    video = np.repeat(np.arange(videos), lengths)  # (frames,)
    shown = labels[label_offsets[video] + rng.integers(0, counts[video])]  # (frames,)
    background = rng.random(len(video)) < BACKGROUND_SHARE  # (frames,)
    shown[background] = len(shape.class_weights) + rng.integers(0, BACKGROUNDS, size=background.sum())
    features = {}
    for number, (modality, dim) in enumerate(shape.feature_dims.items()):
        prototypes = _prototypes(len(shape.class_weights), dim, number)  # (classes + BACKGROUNDS, dim)
        frames = prototypes[shown]  # (frames, dim)
        frames += _noise(rng, frames.shape)
        features[modality] = frames
    return hdf5.Shard(
        features=features,
        offsets=dict.fromkeys(shape.feature_dims, offsets),
        labels=labels,
        label_offsets=label_offsets,
        ids=names,
        num_classes=len(shape.class_weights),
        single_label=shape.mean_labels is None,
        ranges=dict.fromkeys(shape.feature_dims, RANGE),
        source=source,
        conversion=conversion,
    )


def _labels(shape: Shape, videos: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers of all videos one after the other, none twice in a video, and how many each video has."""
    if shape.mean_labels is None:
        counts = np.ones(videos, np.int64)
    else:
        counts = np.minimum(1 + rng.poisson(shape.mean_labels - 1, size=videos), len(shape.class_weights))
    # The largest of log(weight) + Gumbel noise are a draw without replacement with these weights.
    logs = np.log(shape.class_weights)  # (classes,)
    labels = [np.sort(np.argpartition(-(logs + rng.gumbel(size=len(logs))), count - 1)[:count]) for count in counts]
    return np.concatenate(labels), counts


def _prototypes(num_classes: int, dim: int, modality: int) -> np.ndarray:
    """(num_classes + BACKGROUNDS, dim) uint8, the same at every call."""
    rng = np.random.default_rng([PROTOTYPE_SEED, modality])
    return rng.integers(NOISE_LIMIT, 256 - NOISE_LIMIT, size=(num_classes + BACKGROUNDS, dim), dtype=np.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Rounded, clipped normal noise as uint8 that wraps around: adding it to a prototype is exact.

    One random byte a value, looked up among 256 quantiles, because there are hundreds of thousands a video.
    """
    normal = np.sort(np.random.default_rng(PROTOTYPE_SEED).normal(0, NOISE_STD, 256 * 64))
    quantiles = normal.reshape(256, 64).mean(axis=1)  # (256,)
    table = quantiles.round().clip(-NOISE_LIMIT, NOISE_LIMIT).astype(np.int8).tobytes()
    return np.frombuffer(rng.bytes(shape[0] * shape[1]).translate(table), np.uint8).reshape(shape)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
