"""From videos to their labels, without the training code: neither Sacred nor, but for data files, h5py."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from shutil import get_terminal_size

import numpy as np

from datasets.errors import DataError, one_line
from datasets.record import BadRecord, Entry
from experiments import counted
from experiments.errors import UserError
from experiments.inference import attention, batches, predictions, videos
from experiments.inference.attention import Explained, Explainer
from experiments.inference.batches import Batch
from experiments.inference.description import Description
from experiments.inference.engines import Engine, probabilities

try:
    from tqdm import tqdm
except ImportError:  # where nothing but an engine is installed
    from experiments.inference.no_bar import NoBar as tqdm  # type: ignore[assignment]  # noqa: N813

SHOWN_VIDEOS = 20  # on the terminal, where the rest is in a file
NO_END = 1 << 30  # the width of what is no terminal


@dataclass(frozen=True)
class Request:
    """What is to be predicted, and how it is to be told.

    Attributes:
        source: a data file, a TFRecord, a pickle of Paddle's, a CSV of own data, a folder of these, or a ``.txt``
            that names one a line.
        output: a file to write, ``.csv`` or ``.jsonl``; None for the terminal alone.
        top_k: best classes a video.
        batch_size: videos that are computed at once; it changes no result.
        skip_bad: leave out videos that cannot be used; otherwise the first one ends the work.
        skip_bad_by: how the user asks for it.
        names_by: how the user gives the classes names.
    """

    source: Path
    output: Path | None = None
    top_k: int = 20
    batch_size: int = 128
    skip_bad: bool = False
    skip_bad_by: str = "skip_bad=True"
    names_by: str = "vocabulary=FILE"

    def check(self) -> None:
        """See, before a net is loaded, that nothing of it is impossible.

        Raises:
            UserError, DataError: if something is.
        """
        for key, value in (("top_k", self.top_k), ("batch_size", self.batch_size)):
            if value < 1:
                raise UserError(f"{key}={value}: below 1")
        if self.output:
            predictions.check(self.output)


def run(
    request: Request,
    net: Description,
    engine: Engine,
    explainer: Explainer | None = None,
    told: Callable[[Explained], None] | None = None,
) -> int:
    """Predict every video; how many were left out.

    Args:
        request: of what, and where to.
        net: what computes, from outside.
        engine: what computes.
        explainer: gives the attention weights too, which then go where the predictions go; JSON lines have room.
        told: with ``explainer``, called with each video and what was found of it.

    Raises:
        UserError, DataError: if nothing can be read, or a video cannot be used and is not to be left out.
    """
    request.check()
    found = videos.look(request.source, request.skip_bad)
    if found.raw:
        raise DataError(f"{found.raw[0]}: a raw video, whose features are to be made first")
    if found.passed_over:
        print(found.note(), file=sys.stderr)
    total = sum(videos.size_of(path) for path in found.features)
    bad: list[BadRecord] = []
    count = 0
    ids: set[str] = set()
    again: list[str] = []
    cut: list[str] = []
    output = predictions.Output(request.output, net) if request.output else nullcontext()
    width = get_terminal_size().columns if sys.stdout.isatty() else NO_END
    with output as file, tqdm(desc="predicting", total=total, unit="B", unit_scale=True, dynamic_ncols=True) as bar:
        for batch in _ahead(_batches(found.features, net, request, bad, cut, bar)):
            logits = engine(batch)  # (B, C)
            if not np.isfinite(logits).all():
                batch, logits = _finite(batch, logits, request, bad)
            classes, _ = predictions.best(logits, request.top_k)  # near 1 many probabilities are equal
            best = np.take_along_axis(probabilities(logits, net.single_label), classes, axis=1)  # (B, top_k)
            looked = attention.of_batch(batch, explainer(batch), net) if explainer else None
            if file:
                file.add(batch.ids, classes, best, looked)
            if not file or count < SHOWN_VIDEOS:
                left = slice(None if not file else SHOWN_VIDEOS - count)
                seen = looked[left] if looked else None
                shown = predictions.table(batch.ids[left], classes[left], best[left], net, width, seen, whole=not file)
                if not _show(shown, bar.write) and not file:
                    return len(bad)
            if told and looked:
                for video in map(attention.kept, batch.ids, classes, best, looked):
                    told(video)
            count += len(batch.ids)
            for name in batch.ids:
                again += [name] if name in ids else []
                ids.add(name)
            bar.set_postfix_str(counted(count, "video"), refresh=False)
        if not count:
            raise DataError(f"{bad[0]}; no video can be used" if bad else f"{request.source}: no video found")
    for own in bad:
        print(f"left out: {own}", file=sys.stderr)
    if again:
        repeated = counted(len(again), "video")
        print(
            f"the same id again: {repeated}, the first is {predictions.plain(again[0])}; each has its line",
            file=sys.stderr,
        )
    if cut:
        some = f"{counted(len(cut), 'video')} with values outside of the range that the net takes, the first is"
        print(f"{some} {predictions.plain(cut[0])}; they were cut to it", file=sys.stderr)
    if not net.class_names:
        print(f"no vocabulary is known, so classes are numbers; {request.names_by} gives them names", file=sys.stderr)
    if request.output:
        _show(f"{counted(count, 'video')} in {request.output}", print)
    return len(bad)


def _show(text: str, write: Callable[..., None]) -> bool:
    """``write`` it to standard output; whether anybody reads that still."""
    try:
        write(text, file=sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left, to the end of the program
        return False
    return True


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same, each read while the engine computes the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as reader:
        pending = reader.submit(next, batches, None)
        while (batch := pending.result()) is not None:
            pending = reader.submit(next, batches, None)
            yield batch


def _finite(batch: Batch, logits: np.ndarray, request: Request, bad: list[BadRecord]) -> tuple[Batch, np.ndarray]:
    """The videos whose logits are finite; the others go to ``bad``."""
    finite = np.isfinite(logits).all(axis=1)  # (B,)
    for row in np.flatnonzero(~finite):
        reason = "the net gives values that are not finite"
        bad.append(BadRecord(str(batch.files[row]), batch.numbers[row], batch.ids[row], reason))
        if not request.skip_bad:
            raise DataError(f"{bad[-1]}; {request.skip_bad_by} leaves such videos out")
    return batches.some(batch, np.flatnonzero(finite)), logits[finite]


def _entries(path: Path, skip_bad: bool) -> Iterator[tuple[Entry, dict[str, tuple[float, float]]]]:
    """What stands in a file, and what its bytes stand for; with ``skip_bad``, a file's flaw is an entry."""
    ranges: dict[str, tuple[float, float]] = {}
    try:
        ranges = videos.ranges_of(path)
        for entry in videos.read(path):
            yield entry, ranges
    except (DataError, OSError) as error:
        if not skip_bad:
            raise DataError(f"{path}: {one_line(error).removeprefix(f'{path}: ')}") from error
        yield Entry(0, "the whole file", 0, one_line(error).removeprefix(f"{path}: ")), ranges


def _batches(
    paths: list[Path], net: Description, request: Request, bad: list[BadRecord], cut: list[str], bar: tqdm
) -> Iterator[Batch]:
    waiting: list[batches.Video] = []
    begun = False
    for path in paths:
        for entry, ranges in _entries(path, request.skip_bad):
            try:
                if isinstance(entry.content, str):
                    raise DataError(entry.content)
                if not begun and not request.skip_bad and (reason := batches.misfit(entry.content, net)):
                    raise UserError(f"{path}: {reason}")  # which is true of all
                begun = True
                features = batches.check(entry.content, net, ranges)
                cut += [entry.content.id] if batches.is_cut(entry.content, net, ranges) else []
                counts = [len(entry.content.features.get(own.name, ())) for own in net.modalities]
                waiting.append(batches.Video(entry.content.id, features, counts, path, entry.number))
            except DataError as error:
                bad.append(BadRecord(str(path), entry.number, entry.where, str(error)))
                if not request.skip_bad:
                    raise DataError(f"{bad[-1]}; {request.skip_bad_by} leaves such videos out") from error
            bar.update(entry.size)
            if len(waiting) == request.batch_size:
                yield batches.together(waiting)
                waiting = []
    if waiting:
        yield batches.together(waiting)
