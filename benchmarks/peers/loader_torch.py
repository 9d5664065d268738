"""PyTorch's side of the benchmark of loaders: its DataLoader over our data files."""

from collections import deque
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.peers import delivered, measuring, videos_torch
from benchmarks.peers.delivered import Delivered


def main() -> None:
    """Answer requests, see `measuring.requests`.

    - ``{"open": INDEX, "seg_num": N, "jitter": BOOL, "batches": VIDEOS, "workers": NUMBERS}`` makes loaders
    - ``{"digests": COUNT, "workers": W}`` reads an epoch; what was in its first batches
    - ``{"run": WARM, "workers": W}`` reads an epoch; the videos a second
    """
    loaders: dict[int, DataLoader[Any]] = {}
    for request in measuring.requests():
        answer: dict[str, Any] = {"framework": f"PyTorch {torch.__version__}"}
        if "open" in request:
            videos = videos_torch.Videos(request["open"], request["seg_num"], request["jitter"])
            loaders = {  # that stay: their start counts for no epoch but the first
                workers: videos_torch.loader(videos, request["batches"], workers, stay=True)
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
