"""Batches from our data files in PyTorch by its own loader: random videos, padded to the longest of them."""

from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.peers.measuring import Epoch

WORKERS = 1  # processes that make batches ahead of their use


class Video(NamedTuple):
    """One video: of each modality (frames, F_m) bytes; and (C,) labels of 0 and 1."""

    features: list[np.ndarray]
    labels: np.ndarray


class Videos(Dataset):
    """The videos of data files, whose frames lie there in one piece and are mapped into memory.

    Args:
        index: the file that `benchmarks.epoch` wrote; PyTorch's environment has no library for HDF5.
        seg_num: frames a video, one at random from each of so many segments; None for all.
        seed: of these.
    """

    def __init__(self, index: str, seg_num: int | None, seed: int) -> None:
        with np.load(index) as file:
            own = dict(file)
        self.modalities = own["modalities"].tolist()
        self.frames = {
            name: [
                np.memmap(str(path), np.uint8, "r", int(start), (int(count), int(width)))
                for path, (start, count, width) in zip(own["paths"], own[f"places.{name}"], strict=True)
            ]
            for name in self.modalities
        }
        self.own, self.seg_num, self.seed = own, seg_num, seed

    def __len__(self) -> int:
        return len(self.own["shards"])

    def __getitem__(self, number: int) -> Video:
        shard, features = self.own["shards"][number], []
        for name in self.modalities:
            first, count = self.own[f"frames.{name}"][number]
            frames = self.frames[name][shard][first : first + count]  # (T, F)
            if self.seg_num is not None:
                places = np.random.default_rng([self.seed, number]).random(self.seg_num) + np.arange(self.seg_num)
                frames = frames[(places * (count / self.seg_num)).astype(np.int64)]  # (seg_num, F)
            features.append(frames)
        labels = np.zeros(int(self.own["classes"]), np.float32)  # (C,)
        start, stop = self.own["label_offsets"][number]
        labels[self.own["labels"][start:stop]] = 1
        return Video(features, labels)


def batches(epoch: Epoch, batch_size: int, seg_num: int | None) -> DataLoader:
    """What yields features (B, T, F_m), labels (B, C) and lengths (B,)."""
    videos = Videos(epoch.index, seg_num, epoch.number)
    order = torch.randperm(len(videos), generator=torch.Generator().manual_seed(epoch.number))
    chosen = [own.tolist() for own in order.split(batch_size)][epoch.first :: epoch.every]
    return DataLoader(videos, batch_sampler=chosen, collate_fn=_batch, num_workers=WORKERS)


def _batch(videos: list[Video]) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    features = [
        torch.nn.utils.rnn.pad_sequence([torch.from_numpy(np.array(own)) for own in frames], batch_first=True)
        for frames in zip(*(video.features for video in videos), strict=True)
    ]
    labels = torch.from_numpy(np.stack([video.labels for video in videos]))  # (B, C)
    lengths = torch.tensor([max(len(own) for own in video.features) for video in videos])  # (B,)
    return features, labels, lengths
