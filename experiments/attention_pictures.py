"""Where a net looked in raw videos: a picture each, of the frames with the highest attention and of all over time."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import cv2
import numpy as np
from tqdm import tqdm

from datasets import video_file
from datasets.errors import DataError
from experiments.errors import UserError
from experiments.inference.attention import Attention, Explained, clock
from experiments.inference.description import Description
from experiments.inference.predictions import plain
from experiments.results import svg

FRAMES = 6  # shown in the upper row
CLASSES = 3  # named in the title
WIDTH, DOTS_PER_INCH = 12.0, 110  # inches
FRAME_HEIGHT, LINE_HEIGHT, UNIT_HEIGHT = 2.3, 1.25, 0.11  # inches, the first at most
HEAT_HEIGHTS = 0.4, 2.4  # inches, lowest and highest
FRAME_PIXELS = 500  # of the longer side
MARKED = 60  # points of a line, at most, that are marked each
NAME_BYTES = 240  # of a file's name, before the ending
MOST_TICKS = 14
TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)


def write(explained: Sequence[Explained], originals: Mapping[str, Path], net: Description, output: Path) -> None:
    """Write ``OUTPUT.attention/ID.png`` for each video, ``OUTPUT`` being the predictions' file without its ending.

    Args:
        explained: what was found of the videos.
        originals: the file of each id.
        net: for the classes' names.
        output: the predictions' file.

    Raises:
        UserError: if nothing can be written there.
    """
    folder = output.with_name(f"{output.stem}.attention")
    made, missing = 0, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for own in tqdm(explained, desc="pictures", unit="video", dynamic_ncols=True):
            try:
                _write(folder / f"{_file_name(own.id)}.png", own, originals[own.id], net)
                made += 1
            except DataError as error:  # which could be read a while ago
                missing.append(f"no picture: {error}")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; the predictions are in {output}") from error
    except KeyboardInterrupt:
        print(f"\ninterrupted; the predictions are in {output}, {made} pictures in {folder}", file=sys.stderr)
        sys.exit(130)
    for line in missing:
        print(line, file=sys.stderr)
    print(f"{made} pictures in {folder}")


def _file_name(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= NAME_BYTES:
        return name
    return f"{encoded[: NAME_BYTES - 17].decode(errors='ignore')}-{sha256(encoded).hexdigest()[:16]}"


def _write(path: Path, own: Explained, video: Path, net: Description) -> None:
    once = {name: attention.by_frame() for name, attention in own.attention.items() if len(attention.frames)}
    shown = once.get("rgb") or next(iter(once.values()))
    places = _places(shown)
    assert shown.rate is not None  # it is that of an extraction
    pictures = _frames(video, shown.rate, shown.frames[places].tolist())
    aside = path.with_name(f".{os.getpid()}.tmp")
    try:
        _draw(aside, _title(own, net), own.attention, once, shown, places, pictures)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _places(shown: Attention) -> np.ndarray:
    """Of the frames in the upper row, in order of time; where all weigh the same, some all over the video."""
    if shown.all_alike():
        return np.unique(np.linspace(0, len(shown.frames) - 1, FRAMES).round().astype(int))  # (at most FRAMES,)
    return np.sort(shown.strongest(FRAMES))  # (at most FRAMES,)


def _frames(video: Path, rate: float, numbers: list[int]) -> list[np.ndarray | None]:
    """The pictures with these numbers at so many a second, small; None for one that is not there any more."""
    found: dict[int, np.ndarray] = {}
    start = 0
    for block in video_file.frames_of(video, rate):
        scale = min(1.0, FRAME_PIXELS / max(block.shape[1:3]))
        size = [max(1, round(scale * side)) for side in block.shape[2:0:-1]]  # width, height
        for number in numbers:
            if start <= number < start + len(block):
                found[number] = cv2.resize(block[number - start], size, interpolation=cv2.INTER_AREA)  # (h, w, 3)
        start += len(block)
        if start > max(numbers):
            break
    return [found.get(number) for number in numbers]


def _title(own: Explained, net: Description) -> tuple[str, str]:
    """The video, and its best classes."""
    best = zip(own.classes[:CLASSES].tolist(), own.probabilities[:CLASSES].tolist(), strict=True)
    classes = [f"{_cut(net.title_of(number), 34)}  {100 * value:.1f} %" for number, value in best]
    return _cut(own.id, 110), "      ".join(classes)


def _cut(text: str, columns: int) -> str:
    """``text``, without its middle where it is longer than so many columns."""
    text = plain(text)
    widths = [2 if east_asian_width(mark) in "WF" else 1 for mark in text]
    if sum(widths) <= columns:
        return text
    half = (columns - 1) // 2
    first = int(np.searchsorted(np.cumsum(widths), half, "right"))
    last = int(np.searchsorted(np.cumsum(widths[::-1]), half, "right"))
    return f"{text[:first]}…{text[len(text) - last :]}"


def _draw(
    path: Path,
    title: tuple[str, str],
    attention: Mapping[str, Attention],
    once: Mapping[str, Attention],
    shown: Attention,
    places: np.ndarray,
    pictures: list[np.ndarray | None],
) -> None:
    from matplotlib import style  # takes a while to import
    from matplotlib.figure import Figure

    shapes = [picture.shape for picture in pictures if picture is not None]
    height, width = shapes[0][:2] if shapes else (9, 16)
    heights = [0.4 + min(FRAME_HEIGHT, WIDTH / len(places) * height / width)]
    for own in once.values():
        heights += [LINE_HEIGHT, float(np.clip(UNIT_HEIGHT * len(own.weights), *HEAT_HEIGHTS))]
    absent = [name for name in attention if name not in once]
    size = WIDTH, sum(heights) + 1.0 + 0.45 * len(once)
    with style.context(["default", svg.STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of writing that the font does not have
        figure = Figure(size, dpi=DOTS_PER_INCH, layout="constrained")
        figure.suptitle(title[0], fontsize=12, fontweight="bold", parse_math=False)
        share = (heights[0] + 0.3) / (size[1] - 0.4)
        upper, lower = figure.subfigures(2, 1, height_ratios=[share, 1 - share])
        upper.suptitle(title[1], fontsize=10, parse_math=False)
        _draw_frames(upper, shown, places, pictures)
        axes = lower.subplots(2 * len(once), sharex=True, squeeze=False, height_ratios=heights[1:])[:, 0]
        for number, (name, own) in enumerate(once.items()):
            _draw_modality(axes[2 * number : 2 * number + 2], name, own, places if own is shown else None)
        _draw_times(axes[-1], once)
        if absent:
            lower.supxlabel(f"no {' and no '.join(absent)} in this video", fontsize=9, color="#666666")
        figure.savefig(path, format="png")


def _draw_frames(part: Any, shown: Attention, places: np.ndarray, pictures: list[np.ndarray | None]) -> None:
    mean = shown.mean()  # (n,)
    axes = part.subplots(1, len(places), squeeze=False)[0]
    for own, place, picture in zip(axes, places.tolist(), pictures, strict=True):
        own.set_axis_off()
        own.set_title(f"{shown.time_of(place)}   {100 * mean[place]:.1f} %", fontsize=10)
        if picture is None:
            own.text(0.5, 0.5, "cannot be\ndecoded again", ha="center", va="center", transform=own.transAxes)
        else:
            own.imshow(picture, interpolation="antialiased")


def _draw_modality(axes: Sequence[Any], name: str, own: Attention, places: np.ndarray | None) -> None:
    """The mean over the units as a line, and each unit as a row of colours."""
    line, heat = axes
    assert own.rate is not None
    seconds, mean = own.frames / own.rate, own.mean()  # (n,) each
    units, count = own.weights.shape
    line.plot(seconds, 100 * mean, color=svg.COLOURS[0], marker="." if count <= MARKED else None)
    line.fill_between(seconds, 100 * mean, color=svg.COLOURS[0], alpha=0.15, linewidth=0)
    line.axhline(100 / count, color="#666666", linewidth=0.8, linestyle="--", label="all frames alike")
    if places is not None:
        line.plot(seconds[places], 100 * mean[places], "o", color=svg.COLOURS[1], label="shown above")
    line.set_ylim(0, 115 * max(float(mean.max()), 1e-9))
    line.set_ylabel("mean, %")
    line.set_title(f"{name}: {_several(count, 'frame')}, {_several(units, 'attention unit')}", loc="left")
    line.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)
    half = 0.5 / own.rate
    edges = np.concatenate([seconds[:1] - half, (seconds[:-1] + seconds[1:]) / 2, seconds[-1:] + half])  # (n + 1,)
    heat.grid(False)
    colours = heat.pcolormesh(edges, np.arange(units + 1), 100 * own.weights, vmin=0)
    step = -(-units // 5)
    heat.set_yticks(np.arange(0, units, step) + 0.5, np.arange(0, units, step))
    heat.set_ylabel("unit")
    heat.invert_yaxis()
    heat.figure.colorbar(colours, ax=[line, heat], label="weight, %", fraction=0.025, pad=0.01)


def _draw_times(axes: Any, once: Mapping[str, Attention]) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    span = max(float((own.frames[-1] + 1) / (own.rate or 1)) for own in once.values())
    finest = min(1 / (own.rate or 1) for own in once.values())
    fitting = (own for own in TICK_SECONDS if span / own <= MOST_TICKS and own >= min(1, finest))
    axes.xaxis.set_major_locator(MultipleLocator(next(fitting, 3600)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second) if second >= 0 else ""))
    axes.set_xlabel("time in the video")
    axes.set_xlim(left=-finest / 2)


def _several(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
