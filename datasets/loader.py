"""Batches of videos as NumPy arrays: order, frames, padding, prefetch."""

import itertools
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from datasets import sampling
from datasets.video_dataset import VideoDataset

PREFETCHED_BATCHES = 2  # ahead of the one in use, by each thread
SORTED_BATCHES = 64  # of 120 to 300 frames the longest of a batch is then 3 above the shortest
RUN = 4  # of these, one after the other and padded alike: on a CPU a net's memory is made anew for another length


@dataclass(frozen=True)
class Batch:
    """Some videos.

    ``features`` are valid until the next batch is taken from the same epoch: their memory is used again.

    Attributes:
        features: one array a modality, (videos, frames, dim), in the file's dtype; padding is 0.
        lengths: (videos, modalities) int32 numbers of real frames, or None if no batch of the dataset is padded.
        labels: (videos, classes) float32 of 0 and 1.
        indices: (videos,) numbers of the videos in the dataset.
        total: videos of this batch over all machines.
    """

    features: list[np.ndarray]
    lengths: np.ndarray | None
    labels: np.ndarray
    indices: np.ndarray
    total: int


class Loader:
    """Cuts a dataset into batches.

    Args:
        dataset: the videos.
        batch_size: videos a batch, over all machines; the last one of an epoch may be smaller and is delivered.
        seg_num: frames a video, one from each of so many segments; None for all of them, padded to the
            longest of the batch.
        training: videos in a random order and frames jittered within their segments, both by ``seed`` and
            epoch alone; otherwise the middle of each segment, and the file's order or, where all frames are taken,
            that of the videos' lengths.
        seed: any integer >= 0.
        workers: threads that make batches; what is in them does not depend on it.
        share: (this machine's number, how many machines): each gets its even part of every batch, of which some
            may be empty; all of them together get what one alone would.
        sorted_batches: in training on all frames, of each so many batches' videos (a random part of all) those of
            like length share a batch, so that few frames are padding, and `RUN` batches of like length, padded to
            the longest of all of them, come one after the other; 1 for batches that are random.

    Raises:
        ValueError: if a number makes no sense.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        batch_size: int,
        seg_num: int | None,
        training: bool,
        seed: int = 0,
        workers: int = 1,
        share: tuple[int, int] = (0, 1),
        sorted_batches: int = SORTED_BATCHES,
    ):
        machine, machines = share
        if min(batch_size, workers, sorted_batches, 1 if seg_num is None else seg_num) < 1 or seed < 0:
            raise ValueError(
                f"batch_size {batch_size}, seg_num {seg_num}, workers {workers}, sorted_batches {sorted_batches}: "
                f"below 1, or seed {seed} < 0"
            )
        if not 0 <= machine < machines:
            raise ValueError(f"share {share}: not the number of one machine among all, such as (0, 1)")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seg_num = seg_num
        self.training = training
        self.seed = seed
        self.workers = workers
        self.share = share
        self.sorted_batches = sorted_batches
        self._pads = self._any_padding()

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.dataset) // self.batch_size)

    def epoch(self, epoch: int = 0, first_batch: int = 0, every: int = 1) -> Iterator[Batch]:
        """The batches of one epoch, made by threads ahead of their use.

        Args:
            epoch: which epoch; it decides the order and the jitter.
            first_batch: where to start; the batches from there on are the same as in a whole epoch.
            every: 2 leaves out every second of them, and so on.
        """
        if epoch < 0 or first_batch < 0 or every < 1:
            raise ValueError(f"epoch {epoch}, first_batch {first_batch}: below 0, or every {every} below 1")
        return self._batches(epoch, first_batch, every)

    def _batches(self, epoch: int, first_batch: int, every: int) -> Iterator[Batch]:
        order = self._order(epoch)
        ahead = PREFETCHED_BATCHES * self.workers
        memory = itertools.cycle([_Memory() for _ in range(ahead + 1)])  # as many batches are alive at once
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="loader")
        pending: deque[Future[Batch]] = deque()
        try:
            for start in range(first_batch * self.batch_size, len(order), every * self.batch_size):
                pending.append(pool.submit(self._batch, order, epoch, start, next(memory)))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _order(self, epoch: int) -> np.ndarray:
        """The videos of one epoch, (videos,); those of a batch are of like length where padding would cost."""
        order = np.arange(len(self.dataset))
        random = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        if self.training:
            random.shuffle(order)
        if self.seg_num is not None or self.sorted_batches == 1:
            return order
        lengths = self.dataset.lengths()  # (videos,)
        if (lengths == lengths[:1]).all():
            return order
        if not self.training:
            return np.argsort(lengths, kind="stable")
        whole = len(order) // self.batch_size * self.batch_size  # the last batch, which is smaller, stays random
        for start in range(0, whole, self.sorted_batches * self.batch_size):
            own = order[start : min(start + self.sorted_batches * self.batch_size, whole)]
            batches = own[np.argsort(lengths[own], kind="stable")].reshape(-1, self.batch_size)
            own[:] = batches[_in_runs(len(batches), random)].reshape(-1)
        return order

    def _padded_like(self, order: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Among which videos the longest is that those at places ``start:stop`` are padded to."""
        whole = len(order) // self.batch_size * self.batch_size
        if not self.training or self.sorted_batches == 1 or start >= whole:
            return order[start:stop]
        run, pool = RUN * self.batch_size, self.sorted_batches * self.batch_size
        within = start % pool
        sorted_from = start - within
        first = sorted_from + within // run * run
        return order[first : min(first + run, sorted_from + pool, whole)]

    def _batch(self, order: np.ndarray, epoch: int, start: int, memory: "_Memory") -> Batch:
        """The videos at places ``start:`` of ``order``: of one batch, this machine's share."""
        total = min(self.batch_size, len(order) - start)
        machine, machines = self.share
        start, stop = start + total * machine // machines, start + total * (machine + 1) // machines
        indices = order[start:stop]
        offsets = self._offsets(epoch, start, stop)
        shard_of, _ = self.dataset.locate(indices)
        features: list[np.ndarray] = []
        lengths: list[np.ndarray] = []
        counted = None
        like = self._padded_like(order, start, stop)
        for modality in self.dataset.feature_dims:
            first, count = self.dataset.frames_of(modality, indices)
            if offsets is None:
                longest = int(self.dataset.frames_of(modality, like)[1].max(initial=0))
                features.append(self._all_frames(modality, shard_of, first, count, max(1, longest), memory))
                lengths.append(count)
                continue
            if counted is None or not np.array_equal(count, counted):  # most often all modalities are equally long
                sampled, counted = sampling.segment_frames(count, offsets), count  # (B, seg_num), (B,)
            features.append(self._chosen_frames(modality, shard_of, first[:, None] + sampled, count, memory))
            lengths.append(np.where(count > 0, sampled.shape[1], 0))
        padded = np.stack(lengths, axis=1).astype(np.int32)  # (B, modalities)
        return Batch(features, padded if self._pads else None, self.dataset.labels_of(indices), indices, total)

    def _any_padding(self) -> bool:
        """Whether any batch may be padded: then all have lengths, as a net would be compiled once more without."""
        everything = np.arange(len(self.dataset))
        for modality in self.dataset.feature_dims:
            _, count = self.dataset.frames_of(modality, everything)  # (videos,)
            if not (count > 0).all() or (self.seg_num is None and (count != count[:1]).any()):
                return True
        return False

    def _offsets(self, epoch: int, start: int, stop: int) -> np.ndarray | None:
        """Where within its segment each frame is taken, (videos, seg_num); None where all frames are."""
        if self.seg_num is None:
            return None
        if self.training:
            return sampling.jitter(self.seed, epoch, start, stop, self.seg_num)
        return np.full((stop - start, self.seg_num), 0.5)

    def _chosen_frames(
        self, modality: str, shard_of: np.ndarray, frames: np.ndarray, count: np.ndarray, memory: "_Memory"
    ) -> np.ndarray:
        """The ``frames`` (B, seg_num), numbered within their shards: (B, seg_num, dim)."""
        sources = self.dataset.frames[modality]
        out = memory.array(modality, (*frames.shape, self.dataset.feature_dims[modality]), sources[0].dtype)
        # Rows are walked by iterators and `take` writes straight into `out` (mode="raise" would gather aside first
        # and copy): what is not spent copying is what a batch costs above a plain copy.
        for source, chosen, row, present in zip(shard_of.tolist(), frames, out, count.tolist(), strict=True):
            if present:
                sources[source].take(chosen, 0, row, "clip")
            else:
                row[:] = 0
        return out

    def _all_frames(
        self, modality: str, shard_of: np.ndarray, first: np.ndarray, count: np.ndarray, frames: int, memory: "_Memory"
    ) -> np.ndarray:
        """All frames of each video, padded with 0 to as many ``frames``: (B, T, dim)."""
        sources = self.dataset.frames[modality]
        shape = (len(count), frames, self.dataset.feature_dims[modality])
        out = memory.array(modality, shape, sources[0].dtype)  # (B, T, dim)
        for row, (s, start, length) in enumerate(zip(shard_of.tolist(), first.tolist(), count.tolist(), strict=True)):
            out[row, :length] = sources[s][start : start + length]
            out[row, length:] = 0
        return out


def _in_runs(batches: int, random: np.random.Generator) -> np.ndarray:
    """A random order of batches sorted by length, (batches,), in which each `RUN` are neighbours by length.

    What is left over is a shorter run, the last.
    """
    numbers = np.arange(batches)
    left = batches % RUN
    first = RUN * int(random.integers(batches // RUN + 1))
    runs = random.permutation(np.delete(numbers, slice(first, first + left)).reshape(-1, RUN))  # (runs, RUN)
    return np.concatenate([random.permuted(runs, axis=1).ravel(), numbers[first : first + left]])


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
