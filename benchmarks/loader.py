"""Batches of videos from data files, our loader beside PyTorch's: ``python -m benchmarks.loader [--videos N]``.

For both YouTube-8M experiments, on synthetic videos of their shape, in the page cache: our loader with one and with two
threads, `torch.utils.data.DataLoader` over the same files without and with two processes of its own, and, as the limit,
a plain copy of as many bytes within memory. All deliver the same videos in the same batches, in our order of an epoch
of training, so that PyTorch's has what our sorting by length saves in padding. Rounds are interleaved; a measurement is
an epoch.

Before anything is timed, both must deliver the same bytes, lengths and labels where no frame is chosen at random.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import arguments, index
from benchmarks.inputs import synthetic_videos
from benchmarks.peers import delivered
from benchmarks.peers.delivered import Delivered
from benchmarks.plot import LIMIT, Bar
from benchmarks.record import Record
from benchmarks.sides import Side, need_peers, ratios, spread
from datasets.loader import PREFETCHED_BATCHES, Loader
from datasets.video_dataset import VideoDataset
from experiments import registry
from experiments.errors import UserError

# Experiment, batch size: one device's share, smaller for AttentionLSTM, whose step takes seconds.
CASES = {"attention_cluster_youtube8m": 256, "attention_lstm_youtube8m": 32}
PEER = "PyTorch"
PEER_WORKERS = (0, 2)  # processes; 0 saves bringing batches from one to another, 2 prefetch as our threads do
LIMIT_NAME = f"{LIMIT}: plain copy"
COMPARED_BATCHES = 4
COLUMNS = ("experiment", "frames", "batch:", "reader", "videos/s:", "of the fastest peer's", "of the limit")


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("loader", __doc__, rounds=5)
    experiment = arguments.some_of(list(CASES))
    parser.add_argument("--experiment", type=experiment, default=list(CASES), help=",".join(CASES))
    parser.add_argument("--videos", type=arguments.number, default=6000, help="fewer tell little (%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    dataset = VideoDataset.open(synthetic_videos(given.videos), "train")
    record = Record("loader", words, given.out)
    record.head(COLUMNS)
    for experiment in given.experiment:
        _, data, _ = registry.split(registry.flatten(registry.load(experiment)))
        frames, batch_size = str(data.seg_num or "all"), CASES[experiment]
        with Side(PEER, 1, "loader_torch") as peer, tempfile.TemporaryDirectory() as place:
            own_index = Path(place) / "videos.npz"
            index.write(dataset, own_index)
            parts = _parts(dataset, batch_size, data.seg_num, peer, own_index)
            measured: dict[str, list[float]] = {name: [] for name in parts}
            for _ in range(given.rounds):
                for name, part in parts.items():
                    measured[name].append(speed := part())
                    record.add(experiment=experiment, batch_size=batch_size, reader=name, videos_per_second=speed)
        limit = measured[LIMIT_NAME]
        fastest = max((own for name, own in measured.items() if name.startswith(PEER)), key=statistics.median)
        for name, speeds in measured.items():
            of_others = ["1" if speeds is one else spread(ratios(speeds, one)) for one in (fastest, limit)]
            median = f"{statistics.median(speeds):,.0f}"
            record.row([f"`{experiment}`", frames, str(batch_size), name, median, *of_others])
        bars = [Bar(name, speeds) for name, speeds in measured.items()]
        record.panel(f"{frames} frames, batches of {batch_size}", "videos/s", bars)
    record.say(f"\n{given.videos} videos, {given.rounds} rounds: medians, [lowest, highest] of the pairs.")


def _parts(
    dataset: VideoDataset, batch_size: int, seg_num: int | None, peer: Side, index_file: Path
) -> dict[str, Callable[[], float]]:
    """What is measured, in videos a second, by name: ours, the peer's, the limit."""
    version = compare(dataset, batch_size, seg_num, peer, index_file)
    loader, two = (Loader(dataset, batch_size, seg_num, True, workers=workers) for workers in (1, 2))
    _open(peer, loader, index_file)
    warm = min(2 * PREFETCHED_BATCHES + 1, len(loader) - 1)
    return {
        "ours, 1 thread": lambda: _speed(loader, warm),
        "ours, 2 threads": lambda: _speed(two, warm),
        f"{version}, in process": lambda: peer.ask(run=warm, workers=0)["videos_per_second"],
        f"{version}, 2 processes": lambda: peer.ask(run=warm, workers=2)["videos_per_second"],
        LIMIT_NAME: lambda: copy_speed(loader),
    }


def compare(dataset: VideoDataset, batch_size: int, seg_num: int | None, peer: Side, index_file: Path) -> str:
    """See that ``peer`` delivers what we do, without random frames; its name and version.

    Raises:
        UserError: it does not.
    """
    loader = Loader(dataset, batch_size, seg_num, False)
    ours = []
    for batch in itertools.islice(loader.epoch(), COMPARED_BATCHES):
        ours.append(delivered.digest(Delivered(batch.features, batch.lengths, batch.labels, batch.indices)))
    _open(peer, loader, index_file)
    for workers in PEER_WORKERS:
        answer = peer.ask(digests=COMPARED_BATCHES, workers=workers)
        if answer["digests"] != ours:
            raise UserError(f"{answer['framework']}: its batches are not ours, and nothing was measured")
    return answer["framework"]


def _open(peer: Side, loader: Loader, index_file: Path) -> None:
    """Let it read the batches of our first epoch."""
    peer.ask(
        open=str(index_file),
        seg_num=loader.seg_num,
        jitter=loader.training,
        batches=[batch.indices.tolist() for batch in loader.epoch()],  # brings the files into the page cache, too
        workers=list(PEER_WORKERS),
    )


def _speed(loader: Loader, warm: int) -> float:
    return delivered.speed((len(batch.indices) for batch in loader.epoch()), warm)


def copy_speed(loader: Loader) -> float:
    """Videos a second if all of a batch's bytes lay in one piece, copied into memory that was used before."""
    sources = list(loader.dataset.frames.values())
    frames_each = loader.seg_num or sum(map(len, sources[0])) / len(loader.dataset)
    rows = min(int(loader.batch_size * frames_each), *map(len, sources[0]))
    pieces = [
        [frames[shard][start : start + rows] for frames in sources]
        for shard, first in enumerate(sources[0])
        for start in range(0, len(first) - rows + 1, rows)
    ]
    memory = [[np.zeros_like(piece) for piece in pieces[0]] for _ in range(PREFETCHED_BATCHES + 1)]
    begin = time.perf_counter()
    for targets, own in zip(itertools.cycle(memory), pieces, strict=False):
        for target, source in zip(targets, own, strict=True):
            np.copyto(target, source)
    return len(pieces) * rows / frames_each / (time.perf_counter() - begin)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
