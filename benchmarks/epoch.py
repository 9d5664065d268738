"""An epoch of training, from data files to updated weights, ours beside PyTorch's.

``python -m benchmarks.epoch [--model M,...] [--videos N] [--batch B] [--every N] [--rounds N] [--small] [--one-core]``

Synthetic videos of YouTube-8M's shape, 120 to 300 frames, in the page cache. AttentionLSTM takes all frames of a video:
ours on length-sorted batches, as runs have them, and on random ones; PyTorch on random ones, padded to their longest
and loaded by its DataLoader. Attention Cluster takes 100 frames of each video, and there is nothing to sort.

How much is gained by sorting is held against what the lengths allow: the frames of random batches with their padding,
divided by the real ones. An epoch of AttentionLSTM takes many minutes here, and so of its batches every eighth is
trained on, others in each round; what is said of an epoch is by its real frames.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import arguments, published
from benchmarks.inputs import synthetic_videos
from benchmarks.models import TOLERANCE
from benchmarks.peers.measuring import Case, Epoch
from benchmarks.record import Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from datasets.video_dataset import VideoDataset
from experiments.threads import cores

VIDEOS = 2048
# Batch size and, of the epoch's batches, how many there are to one that is trained on.
SIZES = {"attention_cluster": (256, 1), "attention_lstm": (128, 8)}
WAYS = {  # framework, its way to train, order of the videos
    "attention_cluster": [(OURS, "gluon", "random"), ("PyTorch", "fused", "random")],
    "attention_lstm": [(OURS, "gluon", "sorted"), (OURS, "gluon", "random"), ("PyTorch", "fused", "random")],
}
SMALL = {
    "attention_cluster": {"cluster_nums": 2, "hidden_units": [8]},
    "attention_lstm": {"embedding_size": 8, "lstm_size": 8, "hidden_units": [8]},
}
GOAL = 0.9  # of the gain that the lengths allow
COLUMNS = (
    "model",
    "batch:",
    "batches:",
    "framework",
    "order",
    "s an epoch:",
    "videos/s:",
    "real frames:",
    "with padding:",
    "us a real frame:",
    "us a frame:",
    "memory, GB:",
    "of PyTorch's speed",
)


@dataclass
class Measured:
    """What one way to train was found to do, an answer a round.

    Attributes:
        framework: one of `sides.FRAMEWORKS`.
        way: one of its ways.
        order: of the videos.
        version: the framework's name and version.
        answers: of `peers.measuring.serve`.
    """

    framework: str
    way: str
    order: str
    version: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)

    def costs(self, frames: str = "real_frames") -> list[float]:
        """Seconds a frame, of each round."""
        return [own["seconds"] / own[frames] for own in self.answers]


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("epoch", __doc__, rounds=3)
    models = arguments.some_of(published.MODELS)
    sizes = {name: "/".join(str(own[place]) for own in SIZES.values()) for place, name in enumerate(("batch", "every"))}
    parser.add_argument("--model", type=models, default=list(published.MODELS), help=",".join(published.MODELS))
    parser.add_argument("--videos", type=arguments.number, default=VIDEOS, help="an epoch (%(default)s)")
    parser.add_argument("--batch", type=arguments.number, help=f"batch size ({sizes['batch']})")
    parser.add_argument("--every", type=arguments.number, help=f"1 trains on the whole epoch ({sizes['every']})")
    parser.add_argument("--one-core", action="store_true", help="one thread, by processor time: for a busy machine")
    parser.add_argument("--small", action="store_true", help="nets of a few units, to try the command")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    if given.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the children's too
    videos = synthetic_videos(given.videos)
    for path in videos.iterdir():
        path.read_bytes()  # into the page cache
    lengths = VideoDataset.open(videos, "train").lengths()  # (videos,)
    record = Record("epoch", words, given.out)
    record.head(COLUMNS)
    said = []
    total = given.rounds * sum(len(WAYS[model]) for model in given.model)
    with tempfile.TemporaryDirectory() as place, tqdm(total=total, unit=" epochs", dynamic_ncols=True) as bar:
        index = Path(place) / "videos.npz"
        write_index(VideoDataset.open(videos, "train"), index)
        for model in given.model:
            case, every = _case(model, given)
            found = [Measured(*own) for own in WAYS[model]]
            with Side(OURS, cores()) as ours:
                ours.save(case, Path(place))
            for number in range(given.rounds):
                for own in found:
                    bar.set_description(f"{model}, {own.framework}, {own.order}")
                    epoch = Epoch(str(videos), str(index), own.order, number, number % every, every)
                    _once(own, case, Path(place), epoch, given.one_core, record)
                    bar.update()
            bar.clear()
            seg_num = case.numbers["seg_num"]
            batches = -(-given.videos // case.batch_size)
            trained = f"{batches}" if every == 1 else f"{-(-batches // every)} of {batches}"
            for cells in rows(found, case, int(lengths.sum()) if seg_num is None else seg_num * len(lengths), trained):
                record.row(cells)
            said += [gain(found)] if seg_num is None else []
    record.say(
        f"\n{given.videos} videos an epoch; {given.rounds} rounds, of other epochs: medians, [lowest, highest] of the "
        "pairs. Frames are those of all rounds. Where not all batches were trained on, the seconds of an epoch are "
        f"those of its real frames.{' One thread each; seconds are of processor time.' if given.one_core else ''}"
    )
    for line in said:
        record.say(line)


def write_index(dataset: VideoDataset, path: Path) -> None:
    """What reads videos without HDF5: where each shard's frames lie in its file, and each video's frames in them."""
    everything = np.arange(len(dataset))
    shards, _ = dataset.locate(everything)  # (videos,)
    labels = [np.flatnonzero(dataset.labels_of(everything[video : video + 1])[0]) for video in everything]
    ends = np.cumsum([0, *map(len, labels)])  # (videos + 1,)
    of_modalities = {}
    for name in dataset.feature_dims:
        of_modalities[f"frames.{name}"] = np.stack(dataset.frames_of(name, everything), axis=1)  # (videos, 2)
        maps = [shard.features[name] for shard in dataset.shards]
        of_modalities[f"places.{name}"] = np.array([(own.offset, *own.shape) for own in maps])  # (shards, 3)
    np.savez(
        path,
        modalities=list(dataset.feature_dims),
        paths=[str(own) for own in dataset.paths],
        shards=shards,
        labels=np.concatenate(labels),
        label_offsets=np.stack([ends[:-1], ends[1:]], axis=1),  # (videos, 2)
        classes=dataset.num_classes,
        **of_modalities,
    )


def rows(found: list[Measured], case: Case, epoch_frames: int, trained: str) -> list[list[str]]:
    """The table's lines of one model.

    Args:
        found: each way, with as many rounds.
        case: what was computed.
        epoch_frames: real frames of all videos.
        trained: how many batches were trained on, of how many.
    """
    peer = found[-1]
    return [
        [
            f"`{case.numbers['model']}`",
            str(case.batch_size),
            trained,
            own.version,
            own.order,
            f"{(cost := statistics.median(own.costs())) * epoch_frames:,.1f}",
            f"{statistics.median(each['videos'] / each['seconds'] for each in own.answers):,.1f}",
            f"{sum(each['real_frames'] for each in own.answers):,}",
            f"{sum(each['padded_frames'] for each in own.answers):,}",
            f"{cost * 1e6:,.0f}",
            f"{statistics.median(own.costs('padded_frames')) * 1e6:,.0f}",
            f"{max(each['peak_bytes'] for each in own.answers) / 1e9:.1f}",
            "1" if own is peer else spread(ratios(peer.costs(), own.costs())),
        ]
        for own in found
    ]


def gain(found: list[Measured]) -> str:
    """What sorting gains, and the share of that of what the lengths allow; all by the real frames of each."""
    by_order = {own.order: own for own in found if own.framework == OURS}
    random, in_order = by_order["random"], by_order["sorted"]
    allowed = [own["padded_frames"] / own["real_frames"] for own in random.answers]
    reached = ratios(random.costs(), in_order.costs())
    shares = [(one - 1) / (most - 1) for one, most in zip(reached, allowed, strict=True)]
    left = sum(own["padded_frames"] for own in in_order.answers) / sum(own["real_frames"] for own in in_order.answers)
    return (
        f"Sorting by length: the lengths allow {spread(allowed)} times, reached {spread(reached)}, a share of "
        f"{spread(shares)} (goal {GOAL}); sorted batches have {left - 1:.1%} of padding."
    )


def _case(model: str, given: argparse.Namespace) -> tuple[Case, int]:
    """What is computed, and of how many batches one is trained on."""
    batch_size, every = SIZES[model]
    case = published.case(model, "train", given.batch or batch_size)
    if given.small:
        case = dataclasses.replace(case, numbers={**case.numbers, **SMALL[model]})
    batches = -(-given.videos // case.batch_size)
    return case, min(given.every or every, batches)


def _once(own: Measured, case: Case, folder: Path, epoch: Epoch, by_processor: bool, record: Record) -> None:
    with Side(own.framework, cores()) as side:
        own.version = side.load(case, folder, [own.way], TOLERANCE)
        answer = side.ask(epoch=own.way, of=asdict(epoch), processor=by_processor)
    own.answers.append(answer)
    about = {"model": case.numbers["model"], "batch_size": case.batch_size, "threads": cores()}
    record.add(**about, way=own.way, order=own.order, epoch=epoch.number, every=epoch.every, **answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
