"""How much a net weighs each frame of a video: for JSON lines, and in a line for the terminal."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.inference import batches, videos
from experiments.inference.batches import Batch
from experiments.inference.description import Description

Explainer = Callable[[Batch], list[np.ndarray]]  # to attention weights, (videos, units, frames) a modality
NAMED = 5  # frames of a modality on the terminal, at most
ALIKE = 1e-6  # weights that differ by less are rounding apart


@dataclass(frozen=True)
class Attention:
    """How much each attention unit weighs each frame of one modality of one video.

    Attributes:
        frames: (n,) numbers of the frames that the net sees, ascending; one that it sees twice is there twice.
        weights: (units, n), each row summing to 1.
        rate: frames a second; None where nobody knows.
    """

    frames: np.ndarray
    weights: np.ndarray
    rate: float | None

    def by_frame(self) -> "Attention":
        """The same with every frame once, and the sum of its weights."""
        frames, starts = np.unique(self.frames, return_index=True)  # (m,), (m,)
        weights = np.add.reduceat(self.weights, starts, axis=1) if len(starts) else self.weights  # (units, m)
        return Attention(frames, weights, self.rate)

    def mean(self) -> np.ndarray:
        """Over the units: (n,), summing to 1."""
        return self.weights.mean(axis=0)

    def all_alike(self) -> bool:
        """Whether there are several frames, and none weighs more than another."""
        return len(self.frames) > 1 and float(np.ptp(self.mean())) < ALIKE

    def strongest(self, count: int) -> np.ndarray:
        """The places in `frames` of the highest mean weights, the highest first; of equal ones the earlier first."""
        return np.argsort(-self.mean(), kind="stable")[:count]  # (at most count,)

    def time_of(self, place: int) -> str:
        """When the frame at `place` is shown; its number where nobody knows."""
        number = int(self.frames[place])
        return f"frame {number}" if self.rate is None else clock(number / self.rate)

    def as_json(self) -> dict[str, Any]:
        """Frames, their seconds, and the weights of each unit; empty lists for a modality that the video lacks."""
        if not len(self.frames):
            return {"frames": [], "seconds": [], "units": []}
        return {
            "frames": self.frames.tolist(),
            "seconds": None if self.rate is None else np.round(self.frames / self.rate, 3).tolist(),
            "units": np.round(self.weights.astype(np.float64), 7).tolist(),
        }


class Explained(NamedTuple):
    """A video, what was predicted of it, and by which frames.

    Attributes:
        id: its name.
        classes: (top_k,) the best first.
        probabilities: (top_k,) theirs.
        attention: a modality each.
    """

    id: str
    classes: np.ndarray
    probabilities: np.ndarray
    attention: dict[str, Attention]


def of_batch(batch: Batch, weights: list[np.ndarray], net: Description) -> list[dict[str, Attention]]:
    """The attention in each video of a batch.

    Args:
        batch: the videos.
        weights: what the net's `Explainer` gave for them.
        net: its description.
    """
    rates = {path: videos.rates_of(path, net.extraction) for path in dict.fromkeys(batch.files)}
    return [
        {own.name: _of_modality(batch, row, place, weights, net, rates) for place, own in enumerate(net.modalities)}
        for row in range(len(batch.ids))
    ]


def kept(name: str, classes: np.ndarray, probabilities: np.ndarray, looked: dict[str, Attention]) -> Explained:
    """A video by itself: what it has is no part of a batch's arrays, which it would keep in memory."""
    own = {modality: replace(seen, weights=seen.weights.copy()) for modality, seen in looked.items()}
    return Explained(name, classes.copy(), probabilities.copy(), own)


def _of_modality(
    batch: Batch, row: int, place: int, weights: list[np.ndarray], net: Description, rates: dict[Path, dict[str, float]]
) -> Attention:
    frames = batches.frames_seen(int(batch.counts[row, place]), net.seg_num)
    own = weights[place][row, :, : len(frames)]  # (units, n)
    return Attention(frames, own, rates[batch.files[row]].get(net.modalities[place].name))


def line(video: dict[str, Attention], width: int) -> str:
    """Where the net looked most: the strongest few frames of each modality, in at most ``width`` characters."""
    once = {name: own.by_frame() for name, own in video.items() if len(own.frames)}
    for count in range(NAMED, 0, -1):
        text = "looked at: " + "; ".join(f"{name} {_named(own, count)}" for name, own in once.items())
        if len(text) <= width:
            break
    return text[:width]


def _named(own: Attention, count: int) -> str:
    if own.all_alike():
        return f"all {len(own.frames)} frames alike"
    mean = own.mean()  # (n,)
    return ", ".join(f"{own.time_of(place)} {100 * mean[place]:.0f} %" for place in own.strongest(count).tolist())


def clock(second: float) -> str:
    """A time in a video, such as 0:07, 1:02:03 or 0:00.5."""
    minutes, hundredths = divmod(round(100 * second), 6000)
    fraction = f".{hundredths % 100:02d}".rstrip("0").rstrip(".")
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{hundredths // 100:02d}{fraction}"
