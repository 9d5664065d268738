"""Which frames of a video each attention unit looks at, of a run on Flash-MNIST."""

import math
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from datasets.errors import DataError
from datasets.flash_mnist import DIGITS, FRAMES
from experiments import ROOT, data, registry
from experiments.configuration import numbers_of
from experiments.errors import UserError
from experiments.reproduction.cell_runs import CellRun
from experiments.results import svg
from experiments.results.html_parts import link, run_anchor
from experiments.results.tables import Section
from gluon_models.errors import ModelError

DATASET = "flash_mnist"  # whose pictures can be drawn again
UNITS = 8  # as many as a reader takes in; of other sizes the nearest is shown
DIGITS_SHOWN = (2, 4, 6)  # in a video each


@dataclass(frozen=True)
class Map:
    """One video as a run sees it.

    Attributes:
        name: of the video.
        label: its class.
        told: the class that the run gives it.
        frames: (25, 28, 28) uint8.
        weights: (units, 25), each row summing to 1.
    """

    name: str
    label: int
    told: int
    frames: np.ndarray
    weights: np.ndarray


def figure(section: Section) -> str:
    """The maps of one complete run with shifting and fc1; empty where the section has none, or other data."""
    runs = [run for result in section.done for run in result.runs if _is_shown(run.config)]
    if not runs:
        return ""
    kept = [run for run in runs if _weights_file(run).is_file()] or runs
    run = min(kept, key=lambda own: abs(math.log2(own.config["cluster_nums"] / UNITS)))
    try:
        maps = _maps(run)
    except (DataError, ModelError, UserError) as error:
        return f"<p>No pictures of attention: {escape(str(error))}</p>"
    units = run.config["cluster_nums"]
    caption = (
        f"How much each of the {units} units weighs each of the {FRAMES} frames, in "
        f"{link(run_anchor(run), f'run {escape(str(run.run_id))}')} with shifting and fc1. Each video is "
        "the middle one of those with so many digits in the first file of the split "
        f"{escape(section.entry.data.valid_split)}."
    )
    highest = max(float(own.weights.max()) for own in maps)
    drawn = "".join(_drawn(own, highest, f"attention-{section.entry.name}-{own.name}") for own in maps)
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _is_shown(config: dict[str, Any]) -> bool:
    wanted = {"model": "attention_cluster", "dataset": DATASET, "attention": "fc1", "shifting": True}
    return all(config.get(key) == value for key, value in wanted.items()) and isinstance(config["cluster_nums"], int)


def _weights_file(run: CellRun) -> Path:
    return run.journal.folder / "checkpoints" / "last" / "net.params"


def _maps(run: CellRun) -> list[Map]:
    """The run's last parameters over three videos.

    Raises:
        DataError, ModelError, UserError: if data, pictures or parameters are not there, or not those of the run.
    """
    dataset = data.open_split(run.config, run.config["valid_split"])
    if not _weights_file(run).is_file():
        raise UserError(f"run {run.run_id}: its parameters {_weights_file(run)} are not there")

    import mxnet as mx  # the rest of the page does without

    from experiments import flash_mnist_features, weights
    from gluon_models import zoo

    arguments, _, _ = registry.split(numbers_of(run.config))
    net = zoo.create(
        run.config["model"], feature_dims=dataset.feature_dims, num_classes=dataset.num_classes, **arguments
    )
    net.initialize()
    weights.load(net, _weights_file(run), new_classifier=False)
    shard = dataset.shards[0]
    videos = _middle_ones(shard.labels)
    if not videos:
        raise DataError(f"{dataset.paths[0]}: no video with {DIGITS_SHOWN} digits in it; prepare the dataset again")
    mnist_folder = Path(os.environ.get("MNIST_DIR") or ROOT / run.config["runtime"]["data_root"] / "mnist")
    frames = flash_mnist_features.frames_of(dataset.paths[0].parent, mnist_folder, run.config["valid_split"], 0, videos)
    features = np.reshape(shard.features["image"], (len(shard), FRAMES, -1))[videos]  # (videos, 25, 50)
    inputs = [mx.nd.array(features)]
    attention = net.attention_weights(inputs)[0].asnumpy()  # (videos, units, 25)
    told = net(inputs).argmax(axis=1).asnumpy().astype(int)  # (videos,)
    return [
        Map(shard.ids[video], int(shard.labels[video]), int(told[place]), frames[place], attention[place])
        for place, video in enumerate(videos)
    ]


def _middle_ones(labels: np.ndarray) -> list[int]:
    """For each of `DIGITS_SHOWN` the middle one of the videos with so many digits, of those there are."""
    count = (labels[:, None] >> np.arange(DIGITS) & 1).sum(axis=1)  # (videos,)
    found = [np.flatnonzero(count == wanted) for wanted in DIGITS_SHOWN]
    return [int(own[len(own) // 2]) for own in found if len(own)]


def _drawn(own: Map, highest: float, name: str) -> str:
    units = len(own.weights)
    told = "the same" if own.told == own.label else _digits(own.told)
    title = f"{own.name} has {_digits(own.label)}; the run sees {told}"

    def draw(figure: Any) -> None:
        height = max(2.0, 0.35 * units)
        upper, lower = figure.subplots(2, sharex=True, height_ratios=[1, height])
        for axes in (upper, lower):
            axes.grid(False)
        strip = np.hstack([np.pad(frame, 1, constant_values=255) for frame in own.frames])  # (30, 25 * 30)
        upper.imshow(strip, cmap="gray", aspect="auto", extent=(-0.5, FRAMES - 0.5, 0, 1), interpolation="none")
        upper.set_axis_off()
        image = lower.imshow(own.weights, vmin=0, vmax=highest, aspect="auto", interpolation="none")
        lower.set(xlabel="frame", ylabel="unit", xticks=range(0, FRAMES, 2), yticks=range(0, units, -(-units // 8)))
        figure.colorbar(image, ax=[upper, lower], label="weight", fraction=0.03, pad=0.01)

    size = (10.0, 1.4 + min(0.16 * units, 4.0))
    picture = f'<div class="wide" tabindex="0">{svg.drawing(name, title, size, draw)}</div>'
    return f'<div class="map"><p>{escape(title)}.</p>{picture}</div>'


def _digits(label: int) -> str:
    """The digits of a class, such as ``digits 3, 7``."""
    present = [str(digit) for digit in range(DIGITS) if label >> digit & 1]
    return f"digit{'s' if len(present) > 1 else ''} {', '.join(present)}" if present else "no digit"
