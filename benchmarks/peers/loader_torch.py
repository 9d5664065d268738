"""PyTorch's side of the benchmark of loaders: its DataLoader over HDF5 files, as one would write it there for speed."""

from bisect import bisect_right
from collections import deque
from typing import Any

import h5py
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, default_collate

from benchmarks.peers import delivered, measuring
from benchmarks.peers.delivered import Delivered

Video = tuple[list[torch.Tensor], torch.Tensor, int]  # features (T, F) of each modality, labels (C,), number


class Videos(Dataset[Video]):
    """The videos of data files.

    Args:
        paths: of the files.
        seg_num: frames a video, one from each of so many segments; None for all of them.
        jitter: take a random one of each segment, not the middle one.
    """

    def __init__(self, paths: list[str], seg_num: int | None, jitter: bool) -> None:
        self.paths, self.seg_num, self.jitter = paths, seg_num, jitter
        self.features: list[dict[str, h5py.Dataset]] = []  # to find one in its file takes as long as to read a video
        self.offsets: list[dict[str, np.ndarray]] = []
        self.labels: list[np.ndarray] = []
        self.label_offsets: list[np.ndarray] = []
        self.starts = [0]
        for path in paths:
            with h5py.File(path, "r") as file:
                self.offsets.append({name: own[:] for name, own in file["offsets"].items()})
                self.labels.append(file["labels"][:].astype(np.int64))
                self.label_offsets.append(file["label_offsets"][:])
                self.classes = int(file.attrs["num_classes"])
                self.modalities = list(file["features"])
            self.starts.append(self.starts[-1] + len(self.label_offsets[-1]) - 1)

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, video: int) -> Video:
        if not self.features:  # each worker opens its own
            self.features = [dict(h5py.File(path, "r")["features"]) for path in self.paths]
        shard = bisect_right(self.starts, video) - 1
        place = video - self.starts[shard]
        features = []
        for name in self.modalities:
            start, stop = self.offsets[shard][name][place : place + 2]
            # A slice, of which some rows are taken in memory: h5py is slow at picking rows itself.
            frames = self.features[shard][name][start:stop]  # (T, F)
            if self.seg_num is not None:
                frames = frames[self._chosen(len(frames), self.seg_num)]  # (seg_num, F)
            features.append(torch.from_numpy(frames))
        labels = torch.zeros(self.classes)  # (C,)
        first, end = self.label_offsets[shard][place : place + 2]
        labels[self.labels[shard][first:end]] = 1
        return features, labels, video

    def _chosen(self, frames: int, seg_num: int) -> np.ndarray:
        within = torch.rand(seg_num, dtype=torch.float64).numpy() if self.jitter else 0.5  # each worker's own seed
        places = (np.arange(seg_num) + within) * frames / seg_num  # (seg_num,)
        return np.minimum(places.astype(np.int64), frames - 1)


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


def main() -> None:
    """Answer requests, see `measuring.requests`.

    - ``{"open": PATHS, "seg_num": N, "jitter": BOOL, "batches": VIDEOS, "workers": NUMBERS}`` makes loaders
    - ``{"digests": COUNT, "workers": W}`` reads an epoch; what was in its first batches
    - ``{"run": WARM, "workers": W}`` reads an epoch; the videos a second
    """
    loaders: dict[int, DataLoader[Any]] = {}
    for request in measuring.requests():
        answer: dict[str, Any] = {"framework": f"PyTorch {torch.__version__}"}
        if "open" in request:
            loaders = {
                workers: DataLoader(
                    Videos(request["open"], request["seg_num"], request["jitter"]),
                    batch_sampler=request["batches"],
                    num_workers=workers,
                    collate_fn=together,
                    persistent_workers=workers > 0,  # their start counts for no epoch but the first
                )
                for workers in request["workers"]
            }
            for loader in loaders.values():
                deque(loader, maxlen=0)
        elif "digests" in request:
            found = []
            for number, (features, lengths, labels, videos) in enumerate(loaders[request["workers"]]):
                if number < request["digests"]:
                    arrays = [frames.numpy() for frames in features]
                    found.append(delivered.digest(Delivered(arrays, lengths.numpy(), labels.numpy(), videos.numpy())))
            answer["digests"] = found
        else:
            sizes = (len(batch[3]) for batch in loaders[request["workers"]])
            answer["videos_per_second"] = delivered.speed(sizes, request["run"])
        measuring.reply(**answer)


if __name__ == "__main__":
    main()
