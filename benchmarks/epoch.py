"""An epoch of training, from data files to updated weights, ours beside PyTorch's.

``python -m benchmarks.epoch [--model M,...] [--videos N] [--batch B] [--part N] [--rounds N] [--ways W,...] [--small]
[--one-core]``

Synthetic videos of YouTube-8M's shape, 120 to 300 frames, in the page cache. AttentionLSTM takes all frames of a video:
ours on length-sorted batches, as runs have them, and on random ones; PyTorch on random ones, padded to their longest
and loaded by its DataLoader. Attention Cluster takes 100 frames of each video, and there is nothing to sort. Paddle,
the slowest to train by far (``CASE=train``), is left out.

How much is gained by sorting is held against what the lengths allow: the frames of random batches with their padding,
divided by the real ones. An epoch of AttentionLSTM takes many minutes here, and so only an eighth of its batches
is trained on, in a row, others in each round; what is said of an epoch is by its real frames.
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

from tqdm import tqdm

from benchmarks import arguments, index, published
from benchmarks.inputs import synthetic_videos
from benchmarks.models import TOLERANCE
from benchmarks.peers.measuring import Case, Epoch
from benchmarks.plot import Bar
from benchmarks.record import Record
from benchmarks.sides import OURS, Side, need_peers, ratios, spread
from datasets.video_dataset import VideoDataset
from experiments.threads import cores

VIDEOS = 8192  # as many batches of AttentionLSTM as a loader sorts together
# Batch size, and of how many parts of an epoch's batches one is trained on.
SIZES = {"attention_cluster": (256, 1), "attention_lstm": (128, 8)}
WAYS = {  # framework, its way to train, order of the videos
    "attention_cluster": [
        (OURS, "gluon", "random"),
        ("PyTorch", "fused", "random"),
        ("PyTorch", "compiled", "random"),
    ],
    "attention_lstm": [
        (OURS, "gluon", "sorted"),
        (OURS, "gluon", "random"),
        ("PyTorch", "fused", "random"),  # though RMSProp has no fused form
        ("PyTorch", "compiled", "random"),
    ],
}
SMALL = {
    "attention_cluster": {"cluster_nums": 2, "hidden_units": [8]},
    "attention_lstm": {"embedding_size": 8, "lstm_size": 8, "hidden_units": [8]},
}
WARM_EPOCH = 1000  # none that is measured
GOAL = 0.9  # of the gain that the lengths allow
COLUMNS = (
    "model",
    "batch:",
    "batches:",
    "framework",
    "way",
    "order",
    "s an epoch:",
    "videos/s:",
    "real frames:",
    "with padding:",
    "us a real frame:",
    "us a frame:",
    "memory of the process, GB:",
    "of the fastest peer's speed",
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
    sizes = {name: "/".join(str(own[place]) for own in SIZES.values()) for place, name in enumerate(("batch", "part"))}
    parser.add_argument("--model", type=models, default=list(published.MODELS), help=",".join(published.MODELS))
    parser.add_argument("--videos", type=arguments.number, default=VIDEOS, help="an epoch (%(default)s)")
    parser.add_argument("--batch", type=arguments.number, help=f"batch size ({sizes['batch']})")
    parser.add_argument("--part", type=arguments.number, help=f"train on an N-th; 1 for all ({sizes['part']})")
    known = list(dict.fromkeys(":".join(own) for ways in WAYS.values() for own in ways))
    parser.add_argument("--ways", type=arguments.some_of(known), default=known, help=",".join(known))
    parser.add_argument("--one-core", action="store_true", help="one thread, by processor time: for a busy machine")
    parser.add_argument("--small", action="store_true", help="nets of a few units, to try the command")
    given = parser.parse_args(words)
    if not set(given.ways) & (usable := {":".join(own) for model in given.model for own in WAYS[model]}):
        parser.error(f"argument --ways: of {', '.join(given.model)} there are {', '.join(sorted(usable))}")
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
    ways = {model: [own for own in WAYS[model] if ":".join(own) in given.ways] for model in given.model}
    total = given.rounds * sum(map(len, ways.values()))
    with tempfile.TemporaryDirectory() as place, tqdm(total=total, unit=" epochs", dynamic_ncols=True) as bar:
        index_file = Path(place) / "videos.npz"
        index.write(VideoDataset.open(videos, "train"), index_file)
        for model, chosen in ways.items():
            if not chosen:
                continue
            case, part = _case(model, given)
            batches = -(-given.videos // case.batch_size)
            count = -(-batches // part)
            found = [Measured(*own) for own in chosen]
            with Side(OURS, cores()) as ours:
                ours.save(case, Path(place))
            for number in range(given.rounds):
                for own in found:
                    bar.set_description(f"{model}, {own.framework}, {own.order}")
                    first = number * count % (batches - count + 1)
                    epoch = Epoch(str(videos), str(index_file), own.order, number, first, count)
                    _once(own, case, Path(place), epoch, given.one_core, record)
                    bar.update()
            bar.clear()
            seg_num = case.numbers["seg_num"]
            trained = f"{batches}" if count == batches else f"{count} of {batches}"
            frames = int(lengths.sum()) if seg_num is None else seg_num * len(lengths)
            for cells in rows(found, case, given.videos, frames, trained):
                record.row(cells)
            bars = [
                Bar(f"{own.version}, {own.way}, {own.order}", [1 / cost for cost in own.costs()], _memory(own))
                for own in found
            ]
            record.panel(f"{model}, batch {case.batch_size}", "real frames/s (memory)", bars)
            if {own.order for own in found if own.framework == OURS} == {"sorted", "random"}:
                said.append(gain(found))
    record.say(
        f"\n{given.videos} videos an epoch; {given.rounds} rounds, of other epochs: medians, [lowest, highest] of the "
        "pairs. Frames are those of all rounds. Where not all batches were trained on, the seconds of an epoch are "
        "those of its real frames. PyTorch's loader is a process of its own, whose memory is not counted; ours has the "
        f"data files that it maps.{' One thread each; seconds are of processor time.' if given.one_core else ''}"
    )
    for line in said:
        record.say(line)


def rows(found: list[Measured], case: Case, videos: int, epoch_frames: int, trained: str) -> list[list[str]]:
    """The table's lines of one model.

    Args:
        found: each way, with as many rounds.
        case: what was computed.
        videos: of an epoch.
        epoch_frames: their real frames.
        trained: how many batches were trained on, of how many.
    """
    peers = [own for own in found if own.framework != OURS]
    peer = min(peers, key=lambda own: statistics.median(own.costs()), default=None)
    return [
        [
            f"`{case.numbers['model']}`",
            str(case.batch_size),
            trained,
            own.version,
            own.way,
            own.order,
            f"{(cost := statistics.median(own.costs())) * epoch_frames:,.1f}",
            f"{videos / (cost * epoch_frames):,.1f}",
            f"{sum(each['real_frames'] for each in own.answers):,}",
            f"{sum(each['padded_frames'] for each in own.answers):,}",
            f"{cost * 1e6:,.0f}",
            f"{statistics.median(own.costs('padded_frames')) * 1e6:,.0f}",
            _memory(own).removesuffix(" GB"),
            "" if peer is None else "1" if own is peer else spread(ratios(peer.costs(), own.costs())),
        ]
        for own in found
    ]


def _memory(own: Measured) -> str:
    return f"{max(each['peak_bytes'] for each in own.answers) / 1e9:.1f} GB"


def gain(found: list[Measured]) -> str:
    """What sorting gains, and the share of that of what the lengths allow; all by the real frames of each."""
    by_order = {own.order: own for own in found if own.framework == OURS}
    random, in_order = by_order["random"], by_order["sorted"]
    allowed = [own["padded_frames"] / own["real_frames"] for own in random.answers]
    reached = ratios(random.costs(), in_order.costs())
    if min(allowed) == 1:
        return "Sorting by length: there is nothing to gain, as each batch has videos of one length."
    shares = [(one - 1) / (most - 1) for one, most in zip(reached, allowed, strict=True)]
    left = sum(own["padded_frames"] for own in in_order.answers) / sum(own["real_frames"] for own in in_order.answers)
    return (
        f"Sorting by length: the lengths allow {spread(allowed)} times, reached {spread(reached)}, a share of "
        f"{spread(shares)} (goal {GOAL}); sorted batches have {left - 1:.1%} of padding."
    )


def _case(model: str, given: argparse.Namespace) -> tuple[Case, int]:
    """What is computed, and of how many parts of an epoch one."""
    batch_size, part = SIZES[model]
    case = published.case(model, "train", given.batch or batch_size)
    if given.small:
        case = dataclasses.replace(case, numbers={**case.numbers, **SMALL[model]})
    return case, given.part or part


def _once(own: Measured, case: Case, folder: Path, epoch: Epoch, by_processor: bool, record: Record) -> None:
    with Side(own.framework, cores()) as side:
        own.version = side.load(case, folder, [own.way], TOLERANCE)
        # One batch of another epoch: what compiles does so for other lengths, and takes any after that.
        side.ask(epoch=own.way, of=asdict(dataclasses.replace(epoch, number=WARM_EPOCH, first=0, count=1)))
        answer = side.ask(epoch=own.way, of=asdict(epoch), processor=by_processor)
    own.answers.append(answer)
    about = {"model": case.numbers["model"], "batch_size": case.batch_size, "threads": cores()}
    record.add(
        **about, way=own.way, order=own.order, epoch=epoch.number, first=epoch.first, count=epoch.count, **answer
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
