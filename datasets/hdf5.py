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
=====================  ======================  ==========================================================

Attributes of the file: ``format_version``, ``num_classes``, ``single_label`` (every video has exactly one
label), ``source`` (free text: what it was made from), ``command`` (that made it). Every dataset has an
attribute ``crc32``, of its bytes. Features are contiguous and uncompressed, so that a reader maps them into
memory and takes frames with one copy.
"""

import os
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from datasets.errors import DataError

FORMAT_VERSION = 1


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

    def __len__(self) -> int:
        return len(self.ids)


def write(path: Path, shard: Shard) -> None:
    """Write ``shard`` to ``path``, aside first and then renamed: a file at ``path`` is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # Aligned data, so that a map of it starts on a boundary of its dtype and of a page.
        with h5py.File(aside, "w", alignment_threshold=65536, alignment_interval=4096) as file:
            file.attrs["format_version"] = FORMAT_VERSION
            file.attrs["num_classes"] = shard.num_classes
            file.attrs["single_label"] = shard.single_label
            file.attrs["source"] = shard.source
            file.attrs["command"] = " ".join(sys.argv)
            file.create_group("features", track_order=True)  # modalities are read in the order they are given in
            for modality, frames in shard.features.items():
                dataset = _store(file, f"features/{modality}", frames)
                if modality in shard.ranges:
                    dataset.attrs["minimum"], dataset.attrs["maximum"] = shard.ranges[modality]
                _store(file, f"offsets/{modality}", shard.offsets[modality].astype(np.int64))
            _store(file, "labels", shard.labels.astype(np.int32))
            _store(file, "label_offsets", shard.label_offsets.astype(np.int64))
            _store(file, "ids", np.array([name.encode() for name in shard.ids], dtype=bytes))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read(path: Path) -> Shard:
    """Open ``path``; features come as read-only memory maps, the rest is loaded.

    Raises:
        DataError: if ``path`` is not a whole file of this format.
    """
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
                source=str(file.attrs["source"]),
            )
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: not a readable data file ({error}); remove it and make it again") from error


def checksums(path: Path) -> dict[str, int]:
    """The CRC-32 of every dataset of ``path``, as it was when the file was written."""
    found: dict[str, int] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = int(item.attrs["crc32"])

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def _store(file: h5py.File, name: str, values: np.ndarray) -> h5py.Dataset:
    values = np.ascontiguousarray(values)
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["crc32"] = zlib.crc32(values.data.cast("B")) if values.size else 0
    return dataset


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    if dataset.size == 0:
        return np.empty(dataset.shape, dataset.dtype)
    offset = dataset.id.get_offset()
    if offset is None:
        raise DataError(f"{path}: {dataset.name} is not contiguous and cannot be mapped; convert the data again")
    return np.memmap(path, dataset.dtype, mode="r", offset=offset, shape=dataset.shape)
