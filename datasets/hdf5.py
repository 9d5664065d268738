"""The data file: one HDF5 file a shard, ragged, read through memory maps.

Layout (format version 1), ``M`` a modality's name, ``V`` videos in the shard:

=====================  ======================  ==========================================================
dataset                shape, dtype            holds
=====================  ======================  ==========================================================
``features/M``         (frames, dim)           all frames of all videos, one after the other; uint8 or float.
                                               A uint8 array has attributes ``minimum`` and ``maximum``: the
                                               values that 0 and 255 stand for
``offsets/M``          (V + 1,) int64          video v has frames ``offsets[v]:offsets[v + 1]``
``labels``             (sum of labels,) int32  class numbers of all videos
``label_offsets``      (V + 1,) int64          video v has labels ``label_offsets[v]:label_offsets[v + 1]``
``ids``                (V,) bytes              the videos' names, UTF-8
``segments/COLUMN``    (segments,)             only where parts of videos are rated (YouTube-8M 2019): columns
                                               ``labels`` int32, ``start_times`` and ``end_times`` int32 seconds,
                                               ``scores`` float32
``segment_offsets``    (V + 1,) int64          with them: video v has ``segment_offsets[v]:segment_offsets[v + 1]``
``skipped``            (n,) bytes              only where records of the source were left out: which and why, UTF-8
=====================  ======================  ==========================================================

A video that lacks a modality has no frames of it, ``offsets[v] == offsets[v + 1]``.

Attributes of the file: ``format_version``, ``num_classes``, ``single_label`` (every video has exactly one
label), ``source`` (free text: what it was made from), ``command`` (that made it), ``conversion`` (the same in all
files of a split: they were made together), ``attributes_crc32`` (see ``attributes_crc``). Every dataset has an
attribute ``crc32``, of its bytes. Features are contiguous and uncompressed, so that a reader maps them into
memory and takes frames with one copy.

``python -m datasets.hdf5 check FILE...`` verifies files, ``show`` describes them.
"""

import argparse
import hashlib
import os
import re
import socket
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from datasets import command, hdf5_output
from datasets.errors import DataError, one_line
from datasets.hdf5_output import Output

FORMAT_VERSION = 1
ATTRIBUTES_CRC = "attributes_crc32"
WRITTEN_BYTES = 1 << 20  # at a time: Linux finds pages for many small writes sooner than for one of 100 MB
SEGMENT_COLUMNS = {"labels": np.int32, "start_times": np.int32, "end_times": np.int32, "scores": np.float32}


@dataclass
class Shard:
    """The content of one file; ``read`` gives features as memory maps, ``write`` takes any arrays.

    Attributes:
        features: per modality (frames, dim), uint8 or float, all videos one after the other.
        offsets: per modality (videos + 1,) int64.
        labels: (sum of labels,) int32 class numbers.
        label_offsets: (videos + 1,) int64.
        ids: the videos' names.
        num_classes: how many classes there are, whether or not they occur.
        single_label: whether every video has exactly one label.
        ranges: for each uint8 modality, the values that 0 and 255 stand for.
        source: what the data was made from.
        segments: columns of all videos' rated segments, (segments,) each; empty where there are none.
        segment_offsets: (videos + 1,) int64, with ``segments``.
        skipped: records of the source that were left out, one line each.
        command: that made the file; ``write`` takes the running program's where it is empty.
        conversion: the same in all shards of a split and in no others; ``write`` makes it of ``source`` and the
            kind of features where it is empty.
    """

    features: dict[str, np.ndarray]
    offsets: dict[str, np.ndarray]
    labels: np.ndarray
    label_offsets: np.ndarray
    ids: list[str]
    num_classes: int
    single_label: bool
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    source: str = ""
    segments: dict[str, np.ndarray] = field(default_factory=dict)
    segment_offsets: np.ndarray | None = None
    skipped: list[str] = field(default_factory=list)
    command: str = ""
    conversion: str = ""

    def __len__(self) -> int:
        return len(self.ids)


def shard_name(split: str, number: int, total: int) -> str:
    """The name of one of a split's files."""
    return f"{split}-{number:05d}-of-{total:05d}.h5"


def shard_files(folder: Path, split: str) -> list[Path]:
    """The data files of ``split`` in ``folder`` in the order of their names; what is named otherwise is passed over."""
    name = re.compile(re.escape(split) + r"-\d{5,}-of-\d{5,}\.h5", re.ASCII)
    return sorted(path for path in folder.glob("*.h5") if name.fullmatch(path.name))


def write(path: Path, shard: Shard, to_disk: bool = True) -> None:
    """Write ``shard`` to ``path``, aside first and then renamed: a file at ``path`` is always whole.

    Args:
        path: where it goes.
        shard: its content.
        to_disk: wait until the disk has it; otherwise ``hdf5_output.sync`` is the caller's.

    Raises:
        DataError: if it cannot be written, or is not read again as it was written.
    """
    from datasets import hdf5_check  # which imports this module

    aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")  # nobody else's on a shared disk
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(aside, shard)
        if to_disk:
            hdf5_output.sync(aside)
        hdf5_check.check_sums(aside, features=False)
        aside.replace(path)
    except (OSError, RuntimeError, DataError) as error:  # HDF5 raises either when a disk is full, or nothing at all
        reason = one_line(error).replace(str(aside), "it")
        raise DataError(f"{path}: cannot be written ({reason}); make room there, or choose another folder") from error
    finally:
        aside.unlink(missing_ok=True)


def read(path: Path) -> Shard:
    """Open ``path``; features come as read-only memory maps, the rest is loaded.

    Raises:
        DataError: if ``path`` is not a whole file of this format.
    """
    if not path.is_file():
        reason = "a folder; name the files in it" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {reason}")
    try:
        with h5py.File(path, "r") as file:
            version = file.attrs.get("format_version")
            if version != FORMAT_VERSION:
                raise DataError(f"{path}: format version {version}, expected {FORMAT_VERSION}; convert the data again")
            return Shard(
                features={name: _mapped(path, file["features"][name]) for name in file["features"]},
                offsets={name: file["offsets"][name][:] for name in file["features"]},
                labels=file["labels"][:],
                label_offsets=file["label_offsets"][:],
                ids=[name.decode() for name in file["ids"][:]],
                num_classes=int(file.attrs["num_classes"]),
                single_label=bool(file.attrs["single_label"]),
                ranges={
                    name: (float(dataset.attrs["minimum"]), float(dataset.attrs["maximum"]))
                    for name, dataset in file["features"].items()
                    if "minimum" in dataset.attrs
                },
                source=_text(file.attrs["source"]),
                segments={name: file["segments"][name][:] for name in file.get("segments", ())},
                segment_offsets=file["segment_offsets"][:] if "segment_offsets" in file else None,
                skipped=[line.decode() for line in file["skipped"][:]] if "skipped" in file else [],
                command=_text(file.attrs["command"]),
                conversion=_text(file.attrs.get("conversion", "")),  # files of earlier versions have none
            )
    except DataError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError) as error:  # damage may
        if "truncated file" in str(error) or "mmap length" in str(error):
            raise DataError(f"{path}: cut off; copy or make it again") from error
        raise DataError(f"{path}: not a readable data file ({one_line(error)}); remove it and make it again") from error


def checksums(path: Path) -> dict[str, int]:
    """The CRC-32 of every dataset of ``path``, as it was when the file was written."""
    found: dict[str, int] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = int(item.attrs["crc32"])

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def attributes_crc(file: h5py.File) -> int:
    """A CRC-32 over all but the content of datasets: names, types and shapes, attributes, the modalities' order.

    The attribute that holds it is left out.
    """
    names = ["/"]
    file.visit(names.append)
    crc = zlib.crc32(" ".join(file["features"]).encode())
    for name in sorted(names):
        item = file[name]
        text = f"{name} {item.dtype.str} {item.shape}" if isinstance(item, h5py.Dataset) else name
        crc = zlib.crc32(text.encode(), crc)
        for key in sorted(item.attrs.keys() - {ATTRIBUTES_CRC}):
            value = np.asarray(item.attrs[key])
            crc = zlib.crc32(f"{key} {value.dtype.str} {value.shape}".encode() + value.tobytes(), crc)
    return crc


def main(arguments: list[str]) -> int:
    """``check FILE...`` or ``show FILE...``; the exit code is 1 if any file is flawed."""
    from datasets import hdf5_check  # which imports this module

    parser = argparse.ArgumentParser(prog="python -m datasets.hdf5", description="Verify or describe data files.")
    parser.add_argument("action", choices=["check", "show"])
    parser.add_argument("file", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    return command.run(lambda: hdf5_check.report(given.action, given.file), "what was printed holds")


def _write(path: Path, shard: Shard) -> None:
    with Output(path, "w+") as output:
        _fill(output, shard)
        output.see()


def _fill(output: Output, shard: Shard) -> None:
    # Aligned data, so that a map of it starts on a boundary of its dtype and of a page.
    with h5py.File(output, "w", alignment_threshold=65536, alignment_interval=4096) as file:
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["num_classes"] = shard.num_classes
        file.attrs["single_label"] = shard.single_label
        # Strings of fixed length: for others HDF5 has a heap, and damage there can keep it busy for ever.
        file.attrs["source"] = _encoded([shard.source])[0]
        file.attrs["command"] = _encoded([shard.command or " ".join(sys.argv)])[0]
        file.attrs["conversion"] = _encoded([shard.conversion or _default_conversion(shard)])[0]
        file.create_group("features", track_order=True)  # modalities are read in the order they are given in
        for modality, frames in shard.features.items():
            dataset = _store(file, f"features/{modality}", frames)
            if modality in shard.ranges:
                dataset.attrs["minimum"], dataset.attrs["maximum"] = shard.ranges[modality]
            _store(file, f"offsets/{modality}", shard.offsets[modality].astype(np.int64))
        _store(file, "labels", shard.labels.astype(np.int32))
        _store(file, "label_offsets", shard.label_offsets.astype(np.int64))
        _store(file, "ids", _encoded(shard.ids))
        if shard.segment_offsets is not None:
            for column, values in shard.segments.items():
                _store(file, f"segments/{column}", values.astype(SEGMENT_COLUMNS[column]))
            _store(file, "segment_offsets", shard.segment_offsets.astype(np.int64))
        if shard.skipped:
            _store(file, "skipped", _encoded(shard.skipped))
        output.see()  # before what is written is asked for again
        file.attrs[ATTRIBUTES_CRC] = attributes_crc(file)


def _default_conversion(shard: Shard) -> str:
    kind = [(name, frames.shape[1:], frames.dtype.str) for name, frames in shard.features.items()]
    return hashlib.sha256(f"{shard.source} {kind} {shard.num_classes}".encode(errors="backslashreplace")).hexdigest()[
        :32
    ]


def _store(file: h5py.File, name: str, values: np.ndarray) -> h5py.Dataset:
    values = np.ascontiguousarray(values)
    dataset = file.create_dataset(name, values.shape, values.dtype)
    rows, crc = max(1, WRITTEN_BYTES // max(1, values[:1].nbytes)), 0
    for start in range(0, len(values), rows):
        piece = values[start : start + rows]
        dataset[start : start + rows] = piece
        crc = zlib.crc32(piece.data.cast("B"), crc)
    dataset.attrs["crc32"] = crc
    return dataset


def _encoded(lines: list[str]) -> np.ndarray:
    # A file's name need not be UTF-8, and what is not comes as escapes.
    return np.array([line.encode(errors="backslashreplace") for line in lines], dtype=bytes)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    if dataset.size == 0:
        return np.empty(dataset.shape, dataset.dtype)
    offset = dataset.id.get_offset()
    if offset is None:
        raise DataError(f"{path}: {dataset.name} is not contiguous and cannot be mapped; convert the data again")
    return np.memmap(path, dataset.dtype, mode="r", offset=offset, shape=dataset.shape)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
