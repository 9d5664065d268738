"""From YouTube-8M's TFRecords to HDF5 as a plain Python loop: ``python -m benchmarks.peers.convert_protobuf IN OUT W``.

Records are parsed by the protobuf package, each file's frames are gathered in memory and written at once, one process a
file, at most W of them at a time. Checksums are neither checked nor written.
"""

import os
import struct
import sys
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HEADER_BYTES, FOOTER_BYTES = 12, 4  # length and its checksum, checksum of the content
MODALITIES = ("rgb", "audio")
PACKAGE = "youtube8m"
REPEATED = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED


def sequence_example() -> Any:
    """The class of TensorFlow's SequenceExample, of feature.proto and example.proto, as far as its lists go."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package=PACKAGE, syntax="proto3")
    kinds = {"BytesList": "TYPE_BYTES", "FloatList": "TYPE_FLOAT", "Int64List": "TYPE_INT64"}
    for name, kind in kinds.items():
        number = getattr(descriptor_pb2.FieldDescriptorProto, kind)
        file.message_type.add(name=name).field.add(name="value", number=1, label=REPEATED, type=number)
    _message(file, "Feature", {"bytes_list": "BytesList", "float_list": "FloatList", "int64_list": "Int64List"})
    _message(file, "FeatureList", {"feature": "Feature"}, repeated=True)
    _map(file, "Features", "feature", "Feature")
    _map(file, "FeatureLists", "feature_list", "FeatureList")
    _message(file, "SequenceExample", {"context": "Features", "feature_lists": "FeatureLists"})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.SequenceExample"))


def _message(
    file: descriptor_pb2.FileDescriptorProto, name: str, fields: dict[str, str], repeated: bool = False
) -> None:
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), 1):
        own = message.field.add(name=field, number=number, type_name=f".{PACKAGE}.{kind}")
        own.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        own.label = REPEATED if repeated else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL


def _map(file: descriptor_pb2.FileDescriptorProto, name: str, field: str, kind: str) -> None:
    entry_name = field.title().replace("_", "") + "Entry"
    _message(file, name, {field: f"{name}.{entry_name}"}, repeated=True)
    entry = file.message_type[-1].nested_type.add(name=entry_name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING)
    entry.field.add(
        name="value", number=2, type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, type_name=f".{PACKAGE}.{kind}"
    )


def records(path: Path) -> Iterator[bytes]:
    """The contents of a TFRecord file."""
    with path.open("rb") as file:
        while head := file.read(HEADER_BYTES):
            yield file.read(struct.unpack("<Q", head[:8])[0])
            file.seek(FOOTER_BYTES, os.SEEK_CUR)


def convert(paths: tuple[Path, Path]) -> None:
    """Make a data file of one TFRecord file; it is on the disk then."""
    source, target = paths
    parse = sequence_example().FromString
    ids, labels, frames, counts = [], [], {name: [] for name in MODALITIES}, []
    for content in records(source):
        example = parse(content)
        ids.append(example.context.feature["id"].bytes_list.value[0])
        labels.append(np.array(example.context.feature["labels"].int64_list.value, np.int32))
        for name, own in frames.items():
            rows = [row.bytes_list.value[0] for row in example.feature_lists.feature_list[name].feature]
            own.append(np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1))  # (T, F)
        counts.append(len(rows))
    with h5py.File(target, "w") as file:
        for name, own in frames.items():
            file[f"features/{name}"] = np.concatenate(own)
            file[f"offsets/{name}"] = np.concatenate([[0], np.cumsum(counts)])
        file["labels"] = np.concatenate(labels)
        file["label_offsets"] = np.concatenate([[0], np.cumsum([len(own) for own in labels])])
        file["ids"] = np.array(ids)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def main(folder: str, out: str, workers: str) -> None:
    """Convert all files of a folder."""
    paths = sorted(Path(folder).iterdir())
    with Pool(int(workers)) as pool:
        pool.map(convert, [(path, Path(out) / f"{path.stem}.h5") for path in paths], chunksize=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
