"""Batches of videos as NumPy arrays: order, frames, padding, prefetch."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datasets import sampling
from datasets.video_dataset import VideoDataset

PREFETCHED_BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """Some videos.

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
        return _prefetched(self._batch(order, epoch, start) for start in starts)

    def _batch(self, order: np.ndarray, epoch: int, start: int) -> Batch:
        indices = order[start : start + self.batch_size]
        shard_of, video_of = self.dataset.locate(indices)
        features, lengths = [], []
        for modality in self.dataset.feature_dims:
            first = np.empty(len(indices), np.int64)
            count = np.empty(len(indices), np.int64)
            for row, (s, v) in enumerate(zip(shard_of, video_of, strict=True)):
                first[row], last = self.dataset.shards[s].offsets[modality][v : v + 2]
                count[row] = last - first[row]
            if self.seg_num is None:
                frames = None
            else:
                frames = first[:, None] + sampling.segment_frames(count, self._offsets(epoch, start, len(indices)))
            features.append(self._gather(modality, shard_of, first, count, frames))
            lengths.append(count)
        return Batch(features, self._lengths(lengths), self.dataset.labels_of(indices), indices)

    def _offsets(self, epoch: int, start: int, videos: int) -> np.ndarray:
        assert self.seg_num is not None
        if self.training:
            return sampling.jitter(self.seed, epoch, start, start + videos, self.seg_num)
        return np.full((videos, self.seg_num), 0.5)

    def _gather(
        self,
        modality: str,
        shard_of: np.ndarray,
        first: np.ndarray,
        count: np.ndarray,
        frames: np.ndarray | None,
    ) -> np.ndarray:
        """The chosen ``frames`` (all where None) of each video: (videos, frames, dim)."""
        sources = [shard.features[modality] for shard in self.dataset.shards]
        steps = max(1, int(count.max())) if frames is None else frames.shape[1]
        out = np.zeros((len(first), steps, sources[0].shape[1]), sources[0].dtype)  # (B, T, dim)
        for row, s in enumerate(shard_of):
            if frames is None:
                out[row, : count[row]] = sources[s][first[row] : first[row] + count[row]]
            elif count[row]:
                sources[s].take(frames[row], axis=0, out=out[row], mode="clip")
        return out

    def _lengths(self, counts: list[np.ndarray]) -> np.ndarray | None:
        """Real frames a video and modality, where any is padded."""
        lengths = np.stack(counts, axis=1).astype(np.int32)  # (B, modalities)
        if self.seg_num is not None:  # a sampled video is padded only where it has no frame at all
            lengths = np.where(lengths > 0, self.seg_num, 0).astype(np.int32)
        return None if (lengths == lengths.max(axis=0)).all() and lengths.all() else lengths


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
