"""Batches of videos as NumPy arrays: order, frames, padding, prefetch."""

import itertools
import math
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datasets import sampling
from datasets.video_dataset import VideoDataset

PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Batch:
    """Some videos.

    ``features`` are valid until the next batch is taken from the same epoch: their memory is used again.

    Attributes:
        features: one array a modality, (videos, frames, dim), in the file's dtype; padding is 0.
        lengths: (videos, modalities) int32 numbers of real frames, or None if every frame is real.
        labels: (videos, classes) float32 of 0 and 1.
        indices: (videos,) numbers of the videos in the dataset.
    """

    features: list[np.ndarray]
    lengths: np.ndarray | None
    labels: np.ndarray
    indices: np.ndarray


class Loader:
    """Cuts a dataset into batches.

    Args:
        dataset: the videos.
        batch_size: videos a batch; the last one of an epoch may be smaller and is delivered.
        seg_num: frames a video, one from each of so many segments; None for all of them, padded to the
            longest of the batch.
        training: videos in a random order and frames jittered within their segments, both by ``seed`` and
            epoch alone; otherwise the file's order and the middle of each segment.
        seed: any integer >= 0.
    """

    def __init__(self, dataset: VideoDataset, batch_size: int, seg_num: int | None, training: bool, seed: int = 0):
        self.dataset = dataset
        self.batch_size = batch_size
        self.seg_num = seg_num
        self.training = training
        self.seed = seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.dataset) // self.batch_size)

    def epoch(self, epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, made in a thread ahead of their use.

        Args:
            epoch: which epoch; it decides the order and the jitter.
            first_batch: where to start; the batches from there on are the same as in a whole epoch.
        """
        order = np.arange(len(self.dataset))
        if self.training:
            np.random.Generator(np.random.PCG64([self.seed, epoch])).shuffle(order)
        starts = range(first_batch * self.batch_size, len(order), self.batch_size)
        # One is being made, some are ready, one is in use: no more batches are alive at once.
        memory = itertools.cycle([_Memory() for _ in range(PREFETCHED_BATCHES + 2)])
        return _prefetched(self._batch(order, epoch, start, next(memory)) for start in starts)

    def _batch(self, order: np.ndarray, epoch: int, start: int, memory: "_Memory") -> Batch:
        indices = order[start : start + self.batch_size]
        offsets = self._offsets(epoch, start, len(indices))
        features, lengths = [], []
        for modality in self.dataset.feature_dims:
            first, count = self.dataset.frames_of(modality, indices)
            if offsets is None:
                features.append(self._all_frames(modality, indices, first, count, memory))
            else:
                frames = first[:, None] + sampling.segment_frames(count, offsets)  # (B, seg_num)
                features.append(self._chosen_frames(modality, indices, frames, count, memory))
                count = np.where(count > 0, frames.shape[1], 0)
            lengths.append(count)
        padded = np.stack(lengths, axis=1).astype(np.int32)  # (B, modalities)
        whole = all((own == frames.shape[1]).all() for own, frames in zip(lengths, features, strict=True))
        return Batch(features, None if whole else padded, self.dataset.labels_of(indices), indices)

    def _offsets(self, epoch: int, start: int, videos: int) -> np.ndarray | None:
        """Where within its segment each frame is taken, (videos, seg_num); None where all frames are."""
        if self.seg_num is None:
            return None
        if self.training:
            return sampling.jitter(self.seed, epoch, start, start + videos, self.seg_num)
        return np.full((videos, self.seg_num), 0.5)

    def _chosen_frames(
        self, modality: str, indices: np.ndarray, frames: np.ndarray, count: np.ndarray, memory: "_Memory"
    ) -> np.ndarray:
        """The ``frames`` (B, seg_num), numbered within their shards: (B, seg_num, dim)."""
        sources = [np.asarray(shard.features[modality]) for shard in self.dataset.shards]
        shard_of, _ = self.dataset.locate(indices)
        out = memory.array(modality, (*frames.shape, self.dataset.feature_dims[modality]), sources[0].dtype)
        for row, (s, present) in enumerate(zip(shard_of.tolist(), count.tolist(), strict=True)):
            if present:
                # mode="clip" writes straight into `out`; the default would gather aside first and copy
                sources[s].take(frames[row], axis=0, out=out[row], mode="clip")
            else:
                out[row] = 0
        return out

    def _all_frames(
        self, modality: str, indices: np.ndarray, first: np.ndarray, count: np.ndarray, memory: "_Memory"
    ) -> np.ndarray:
        """All frames of each video, padded with 0 to the longest: (B, T, dim)."""
        sources = [np.asarray(shard.features[modality]) for shard in self.dataset.shards]
        shard_of, _ = self.dataset.locate(indices)
        shape = (len(indices), max(1, int(count.max())), self.dataset.feature_dims[modality])
        out = memory.array(modality, shape, sources[0].dtype)  # (B, T, dim)
        for row, (s, start, length) in enumerate(zip(shard_of.tolist(), first.tolist(), count.tolist(), strict=True)):
            out[row, :length] = sources[s][start : start + length]
            out[row, length:] = 0
        return out


class _Memory:
    """The memory of one batch, used again for later ones: fresh pages would cost as much as the copy into them."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array with any content, in the memory that ``name`` had before where it is large enough."""
        size = math.prod(shape) * dtype.itemsize
        if name not in self._buffers or self._buffers[name].size < size:
            self._buffers[name] = np.empty(size, np.uint8)
        return self._buffers[name][:size].view(dtype).reshape(shape)


def _prefetched(batches: Iterator[Batch]) -> Iterator[Batch]:
    """``batches``, made in a thread that stays a few ahead and ends with its consumer."""
    ready: queue.Queue = queue.Queue(maxsize=PREFETCHED_BATCHES)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    def produce() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except Exception as error:  # handed over, to be raised where the batches are used
            put(error)

    thread = threading.Thread(target=produce, name="loader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
