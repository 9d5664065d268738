"""From video files to a dataset: features of pictures and sound in the data files of datasets.hdf5."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np

from datasets import hdf5, output_folder, video_file
from datasets.errors import DataError, one_line
from experiments import counted, extract_work
from experiments.data import EXTRACTION
from experiments.extraction import PLACES, Extraction, Extractor
from experiments.inference.videos import raw_in

__all__ = ["Extraction", "Summary", "extract", "videos_in"]

SHARD_BYTES = 400 << 20


@dataclass(frozen=True)
class Summary:
    """What an extraction gave.

    Attributes:
        videos, frames, files: how many videos with how many pictures, in how many data files.
        split: its name.
        notes: what is wrong with videos that are used, a line each.
        bad: the videos that were left out, a line each.
    """

    videos: int
    frames: int
    files: int
    split: str
    notes: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        held = f"{counted(self.videos, 'video')}, {counted(self.frames, 'picture')}"
        made = f"{held} in {counted(self.files, 'data file')} of split {self.split}"
        return "\n".join([made, *self.notes, *(f"left out: {line}" for line in self.bad)])


def videos_in(given: Path) -> list[Path]:
    """The video ``given``, or the videos in the folder ``given`` and those in it, in the order of their names.

    Raises:
        DataError: if there is none.
    """
    if given.is_file():
        return [given]
    found = raw_in(given)
    if not found:
        if not given.is_dir():
            raise DataError(f"{given}: no such file")
        raise DataError(f"{given}: no video in it; their names end in {', '.join(video_file.SUFFIXES)}")
    return found


def extract(
    videos: list[Path],
    out: Path,
    split: str,
    settings: Extraction,
    labels: Path | None = None,
    num_classes: int | None = None,
    single_label: bool = False,
    skip_bad: bool = False,
    ctx: mx.Context | None = None,
) -> Summary:
    """Make the data files of ``split`` in ``out`` and ``extraction.json`` beside them.

    Stopped, it goes on when it is called again: the videos that are done are kept in a folder in ``out``.

    Args:
        videos: files; a video's id is its file's name without the ending, with -2, -3 ... where that occurs again.
        out: folder of the dataset.
        split: its name.
        settings: how features are made; the same for all splits in ``out``.
        labels: a CSV with the columns id and labels, see docs/data_format.md; None leaves videos without labels.
        num_classes: one more than the highest label in the CSV by default.
        single_label: every video must have exactly one label.
        skip_bad: leave out videos that cannot be used, and list them; otherwise the first one ends it.
        ctx: where the network runs; None is the CPU.

    Raises:
        DataError, ModelError: if a video, the labels, the settings or the folder cannot be used.
    """
    if not (split.isascii() and split.isidentifier()):
        raise DataError(f"split={split}: only letters, digits and _ make the name of a split")
    table, num_classes = extract_work.labels_of(labels, num_classes)
    listed = extract_work.listed(videos, table)
    if not skip_bad:
        extract_work.check_labels(listed, single_label)
    extractor = Extractor(settings, ctx)
    conversion = extract_work.digest(
        [extractor.fingerprint(), [video[:5] for video in listed], num_classes, single_label]
    )
    description = extractor.description()
    try:
        with extract_work.work_folder(out, split) as work:
            _check_record(out / EXTRACTION, description, work)
            if (done := _made_before(out, split, conversion)) is not None:
                shutil.rmtree(work)
                return done
            with output_folder.taken(out, None):  # another split may begin at this moment, made otherwise
                _check_record(out / EXTRACTION, description, work)
                _write(out / EXTRACTION, json.dumps(description, indent=2) + "\n")
            made, notes, bad = extract_work.make(listed, work, extractor, single_label, skip_bad)
            report = output_folder.report_path(out, split)
            output_folder.write_report(report, bad)
            if not made:
                raise DataError(f"{listed[0].path}: no video can be used, see {report}")
            _write(_notes_path(out, split), "".join(f"{line}\n" for line in notes))
            groups = _groups(made)
            for number, group in enumerate(groups):
                shard = _shard(group, extractor, num_classes, single_label)
                shard.source = f"raw video by {settings.backbone}, see {EXTRACTION}"
                shard.conversion = conversion
                shard.skipped = [str(line) for line in bad]
                hdf5.write(out / hdf5.shard_name(split, number, len(groups)), shard)
            shutil.rmtree(work)
    except OSError as error:
        raise DataError(f"{out}: {one_line(error)}; make room there, or choose another folder") from error
    left_out = [f"{line.file}: {line.reason}" for line in bad]
    return Summary(len(made), sum(video.frames for video in made), len(groups), split, notes, left_out)


def _groups(made: list[extract_work.Video]) -> list[list[extract_work.Video]]:
    """Videos by data file."""
    groups: list[list[extract_work.Video]] = [[]]
    size = 0
    for video in made:
        size += video.kept.stat().st_size
        if groups[-1] and size > SHARD_BYTES:
            groups.append([])
            size = video.kept.stat().st_size
        groups[-1].append(video)
    return groups


def _shard(group: list[extract_work.Video], extractor: Extractor, num_classes: int, single_label: bool) -> hdf5.Shard:
    features: dict[str, np.ndarray] = {}
    offsets: dict[str, np.ndarray] = {}
    for name, (dim, dtype) in extractor.dims().items():
        parts = []
        for video in group:
            with np.load(video.kept) as file:
                parts.append(file[name])  # (frames, dim)
        features[name] = np.concatenate([np.empty((0, dim), dtype), *parts])
        offsets[name] = np.cumsum([0, *map(len, parts)])
    labels = [video.labels or () for video in group]
    return hdf5.Shard(
        features=features,
        offsets=offsets,
        labels=np.array([label for own in labels for label in own], np.int32),
        label_offsets=np.cumsum([0, *map(len, labels)]),
        ids=[video.id for video in group],
        num_classes=num_classes,
        single_label=single_label,
        ranges=extractor.ranges,
    )


def _made_before(out: Path, split: str, conversion: str) -> Summary | None:
    """What is in the data files of ``split``, if they are all that this extraction makes.

    Raises:
        DataError: if there are some of another one.
    """
    files = hdf5.shard_files(out, split)
    shards = [hdf5.read(path) for path in files]
    for path, shard in zip(files, shards, strict=True):
        if shard.conversion != conversion:
            raise DataError(
                f"{path}: made of other videos, labels or settings; remove the files of split {split}, or choose"
                " another split or folder"
            )
    if not files or files[-1].name != hdf5.shard_name(split, len(files) - 1, len(files)):
        return None
    frames = sum(len(shard.features["rgb"]) for shard in shards)
    told = _notes_path(out, split)
    notes = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    return Summary(sum(map(len, shards)), frames, len(files), split, notes, list(shards[0].skipped))


def _check_record(path: Path, description: dict[str, Any], work: Path) -> None:
    """See that the splits of a dataset are made alike; where none is made yet, or begun but in ``work``, all is well.

    Raises:
        DataError: if they are not.
    """
    begun = [folder for folder in path.parent.glob(".*.extract") if folder != work]
    if not path.exists() or not (begun or any(path.parent.glob("*.h5"))):
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not readable ({one_line(error)}); remove it if no dataset is here") from error
    for key, value in description.items():
        if key not in PLACES and (not isinstance(found, dict) or found.get(key) != value):
            there = found.get(key) if isinstance(found, dict) else None
            raise DataError(f"{path}: {key} is {there} there and {value} now; choose another folder, or do it alike")


def _notes_path(out: Path, split: str) -> Path:
    """Where it stands what is wrong with videos that are used, a line each."""
    return out / f"notes_{split}.txt"


def _write(path: Path, text: str) -> None:
    """``text`` as the file ``path``; no text, no file."""
    if not text:
        path.unlink(missing_ok=True)
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(text, encoding="utf-8", errors="backslashreplace")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
