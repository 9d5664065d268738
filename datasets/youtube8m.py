"""Downloads YouTube-8M, version of 2018 or segments of 2019, and converts it: what ``make youtube8m`` runs.

Addresses, partitions, shards and names are those of the official script, https://data.yt8m.org/download.py. The same
command goes on where it was interrupted, in the middle of a file too.
"""

import argparse
import hashlib
import itertools
import json
import re
import shutil
import string
import sys
from pathlib import Path

from datasets import command, convert, download, hdf5
from datasets.download import Download
from datasets.errors import DataError

PLANS = "http://data.yt8m.org"
FILES = "http://{mirror}.data.yt8m.org"
VOCABULARY = "https://research.google.com", "youtube8m/csv/2/vocabulary.csv"
PARTITIONS = re.compile(r"2/(frame|video)/(train|validate|test)|3/frame/(validate|test)")
DEFAULT_PARTITIONS = ["2/frame/train", "2/frame/validate"]
MIRRORS = ("us", "eu", "asia")
# Names on the server end in two of these; where case does not count in names, as on some disks, they would clash.
LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits
NUMBERS = {"".join(pair): number for number, pair in enumerate(itertools.product(LETTERS, repeat=2))}


def plan(folder: Path, partition: str, mirror: str, shard: tuple[int, int], base_url: str | None) -> list[Download]:
    """The files of ``partition`` with their MD5 sums, as the official plan lists them.

    Args:
        folder: where the partition's files go.
        partition: for example 2/frame/train.
        mirror: us, eu or asia.
        shard: (x, y) takes the x-th of y parts, x from 1, chosen by the MD5 sum of the name as in the official script.
        base_url: takes the place of all hosts, if it is given.

    Returns:
        The files; their sizes are not known yet.

    Raises:
        DataError: if there is no such plan.
    """
    version, level, split = partition.split("/")
    path = folder / "plan.json"
    url = f"{base_url or PLANS}/{version}/download_plans/{level}_{split}.json"
    download.fetch(url, path)
    try:
        files = json.loads(path.read_text())["files"]
        wrong = [name for name, md5 in files.items() if not _is_listing(name, md5)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{url}: not a plan of files and their MD5 sums") from error
    if wrong:
        raise DataError(f"{url}: {wrong[0]!r} is no name of a TFRecord with its MD5 sum")
    host = base_url or FILES.format(mirror=mirror)
    chosen = [
        Download(f"{host}/{partition}/{name}", folder / local_name(name), md5, 0)
        for name, md5 in files.items()
        if int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % shard[1] == shard[0] - 1
    ]
    return sorted(chosen, key=lambda item: item.path.name)


def local_name(name: str) -> str:
    """A file's name here, as the official script has it: ``trainab.tfrecord`` is ``train0001.tfrecord``."""
    stem, _, extension = name.partition(".")
    return f"{stem[:-2]}{NUMBERS[stem[-2:]]:04d}.{extension}"


def bring(
    out: Path,
    partitions: list[str],
    mirror: str,
    shard: tuple[int, int],
    connections: int,
    base_url: str | None,
    replace: bool = False,
) -> dict[str, list[Path]]:
    """Download ``partitions`` and the vocabulary below ``out``.

    Args:
        out: folder of the dataset.
        partitions: for example 2/frame/train.
        mirror: see ``plan``.
        shard: see ``plan``.
        connections: files at once.
        base_url: see ``plan``.
        replace: whether data files of other TFRecords may be there.

    Returns:
        The TFRecords of each partition.

    Raises:
        DataError: if something cannot be had, the disk has no room for it, or another dataset is there.
    """
    folders = {name: out / "tfrecord" / name for name in partitions}
    if not replace:
        for name, folder in folders.items():
            _refuse_others(out, name, [folder / download.CHECKED])
    host, path = VOCABULARY
    vocabulary = out / "vocabulary.csv"
    download.fetch(f"{base_url or host}/{path}", vocabulary)
    if not vocabulary.read_bytes().startswith(b"Index,"):
        raise DataError(f"{base_url or host}/{path}: not the vocabulary")
    plans = {name: plan(folder, name, mirror, shard, base_url) for name, folder in folders.items()}
    if not replace:
        for name, found in plans.items():
            _refuse_others(out, name, [item.path for item in found])
    files = [item for found in plans.values() for item in found]
    if not files:
        raise DataError(f"shard {shard[0]},{shard[1]} has no files; take fewer parts")
    sizes = download.sizes([item.url for item in files], connections)
    files = [Download(item.url, item.path, item.md5, size) for item, size in zip(files, sizes, strict=True)]
    _check_room(out, files)
    download.fetch_all(files, connections)
    return {name: [item.path for item in found] for name, found in plans.items()}


def _refuse_others(out: Path, partition: str, wanted: list[Path]) -> None:
    """See that ``out`` has no data files of the partition's split, or all files that they are made of, as it once had.

    Raises:
        DataError: if another dataset is there; nothing is to be downloaded in vain.
    """
    split = partition.rpartition("/")[2]
    missing = [path for path in wanted if not path.is_file()]
    if missing and hdf5.shard_files(out, split):
        raise DataError(
            f"{out}: split {split} is there, and not made of what is to be downloaded ({missing[0].name} is missing);"
            " choose another --out, or --replace it"
        )


def _check_room(out: Path, files: list[Download]) -> None:
    """See that the disk holds what is missing of the files, and the data files that are made of them."""
    size = sum(item.size for item in files)
    converted = sum(path.stat().st_size for path in out.glob("*.h5"))
    needed = size - sum(item.present() for item in files) + max(0, size - converted)
    free = shutil.disk_usage(out).free
    text = f"{size / 1e9:.1f} GB to have in TFRecords; with the data files {needed / 1e9:.1f} GB more are needed"
    if needed > free:
        raise DataError(
            f"{out}: {text}, and {free / 1e9:.1f} GB are free; take a part by --shard 1,100, or another disk"
        )
    print(f"{out}: {text}, {free / 1e9:.1f} GB are free", file=sys.stderr)


def _is_listing(name: object, md5: object) -> bool:
    return bool(
        re.fullmatch(r"[a-zA-Z]+[a-zA-Z0-9]{2}\.tfrecord", str(name)) and re.fullmatch("[0-9a-f]{32}", str(md5))
    )


def _partition(text: str) -> str:
    if not PARTITIONS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: not one such as 2/frame/train, 2/video/validate, 3/frame/test")
    return text


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+),(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text}: not X,Y with X from 1 to Y, such as 1,100 for a hundredth")
    return int(match[1]), int(match[2])


def _server(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+.*", text):
        raise argparse.ArgumentTypeError(f"{text}: not an address such as http://127.0.0.1:8000")
    return text.rstrip("/")


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m datasets.youtube8m", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder of the dataset")
    add(
        "--partition",
        nargs="+",
        type=_partition,
        default=DEFAULT_PARTITIONS,
        help="default: 2/frame/train and /validate",
    )
    add("--mirror", choices=MIRRORS, default="us")
    add("--shard", type=_shard, default=(1, 1), metavar="X,Y", help="a part of it: 1,100 is the first hundredth")
    add("--connections", type=command.positive, default=8, help="files at once, default 8")
    add("--workers", type=command.positive, help="processes that convert; default: all cores")
    add("--skip-bad", action="store_true", help="leave out records that cannot be used, and list them")
    add("--replace", action="store_true", help="remove data files of other TFRecords")
    add("--base-url", type=_server, help="another server with the same paths, in the place of all official hosts")
    given = parser.parse_args(arguments)
    splits = [name.rpartition("/")[2] for name in given.partition]
    if len(set(splits)) < len(splits):
        parser.error(f"--partition {' '.join(given.partition)}: two of one split; give each a folder of its own")

    def make() -> int:
        server, shard = given.base_url, given.shard
        found = bring(given.out, given.partition, given.mirror, shard, given.connections, server, given.replace)
        for split, files in zip(splits, found.values(), strict=True):
            options = convert.Options(
                split=split, skip_bad=given.skip_bad, replace=given.replace, workers=given.workers
            )
            convert.report(files, given.out, options)
        return 0

    return command.run(make, convert.GOES_ON)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
