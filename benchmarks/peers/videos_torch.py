"""Our data files in PyTorch, for speed: their frames mapped into memory, and batches by its own DataLoader."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, default_collate

from benchmarks.peers.measuring import Epoch

WORKERS = 1  # processes that make an epoch's batches ahead of their use

Video = tuple[list[torch.Tensor], torch.Tensor, int]  # features (T, F) of each modality, labels (C,), number


class Videos(Dataset[Video]):
    """The videos of data files. A map is faster than h5py: of a video only the frames that are chosen are read.

    Args:
        index: the file that `benchmarks.index.write` wrote.
        seg_num: frames a video, one from each of so many segments; None for all of them.
        jitter: take a random one of each segment, not the middle one.
    """

    def __init__(self, index: str | Path, seg_num: int | None, jitter: bool) -> None:
        with np.load(index) as file:
            own = dict(file)
        self.modalities = own["modalities"].tolist()
        self.frames = {
            name: [
                np.memmap(str(path), np.uint8, "c", int(start), (int(count), int(width)))  # PyTorch wants it writable
                for path, (start, count, width) in zip(own["paths"], own[f"places.{name}"], strict=True)
            ]
            for name in self.modalities
        }
        self.own, self.seg_num, self.jitter = own, seg_num, jitter
        self.classes = int(own["classes"])

    def __len__(self) -> int:
        return len(self.own["shards"])

    def __getitem__(self, video: int) -> Video:
        shard, features = self.own["shards"][video], []
        for name in self.modalities:
            first, count = self.own[f"frames.{name}"][video]
            frames = self.frames[name][shard][first : first + count]  # (T, F)
            if self.seg_num is not None:
                frames = frames[self._chosen(int(count), self.seg_num)]  # (seg_num, F)
            features.append(torch.from_numpy(frames))
        labels = torch.zeros(self.classes)  # (C,)
        start, stop = self.own["label_offsets"][video]
        labels[self.own["labels"][start:stop]] = 1
        return features, labels, video

    def _chosen(self, frames: int, seg_num: int) -> np.ndarray:
        within = torch.rand(seg_num, dtype=torch.float64).numpy() if self.jitter else 0.5  # each worker's own seed
        places = (np.arange(seg_num) + within) * frames / seg_num  # (seg_num,)
        return np.minimum(places.astype(np.int64), frames - 1)


def loader(videos: Videos, batches: list[list[int]], workers: int, stay: bool = False) -> DataLoader[Any]:
    """What yields `together` of these videos; its processes may stay for the next epoch."""
    return DataLoader(
        videos, batch_sampler=batches, num_workers=workers, collate_fn=together, persistent_workers=stay and workers > 0
    )


def together(videos: list[Video]) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch: features (B, T, F) with 0 behind the shorter, lengths (B, modalities), labels (B, C), numbers (B,)."""
    columns = list(zip(*(features for features, _, _ in videos), strict=True))
    lengths = torch.tensor([[len(frames) for frames in features] for features, _, _ in videos])  # (B, modalities)
    if (lengths == lengths[0]).all():
        features = [default_collate(list(column)) for column in columns]  # (B, T, F), stacked into shared memory
    else:
        features = [pad_sequence(list(column), batch_first=True) for column in columns]  # (B, T, F)
    labels = default_collate([labels for _, labels, _ in videos])  # (B, C)
    return features, lengths, labels, torch.tensor([number for _, _, number in videos])


def epoch(of: Epoch, batch_size: int, seg_num: int | None) -> DataLoader[Any]:
    """Random videos' batches, as `together`."""
    videos = Videos(of.index, seg_num, jitter=True)
    order = torch.randperm(len(videos), generator=torch.Generator().manual_seed(of.number))
    batches = [own.tolist() for own in order.split(batch_size)]
    return loader(videos, batches[of.first : of.first + of.count], WORKERS)
