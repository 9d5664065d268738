"""From YouTube-8M's TFRecords to data files: ``python -m benchmarks.convert [--videos N] [--rounds N]``.

``python -m datasets.convert`` with one and two processes, on synthetic videos as YouTube-8M stores them, in the page
cache, from the start of the command to data that is on the disk. Neither PyTorch nor Paddle has a tool for it, so that
beside it stands what one would write: a Python loop over the records, parsed by the protobuf package, one process a
file, without the checksums that ours checks and writes. The limit is a copy of the same bytes, by one process, that
waits for the disk too. Rounds are interleaved. Both must give the same videos, or nothing is measured.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from benchmarks import arguments, sides
from benchmarks.inputs import synthetic_videos
from benchmarks.plot import LIMIT, Bar
from benchmarks.record import Record
from benchmarks.sides import need_peers, ratios, spread
from experiments import ROOT
from experiments.errors import UserError

OURS, PEER, COPY = "ours", "protobuf", f"{LIMIT}: copy"
CONVERTERS = {
    f"{side}, {workers} process{'es' if workers > 1 else ''}": (side, workers)
    for side in (OURS, PEER)
    for workers in (1, 2)
}
SHARD_MIB = 128  # of sources a data file, so that a thousand videos give two processes the same work
PIECE_BYTES = 1 << 20
COLUMNS = ("converter", "videos/s:", "MB/s:", "of the loop with as many processes", "of the limit")


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("convert", __doc__, rounds=3)
    parser.add_argument("--videos", type=arguments.number, default=2000, help="(%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    need_peers()
    source = synthetic_videos(given.videos, tfrecords=True)
    bytes_in_all = sum(path.stat().st_size for path in source.iterdir())
    seconds: dict[str, list[float]] = {name: [] for name in (*CONVERTERS, COPY)}
    with tempfile.TemporaryDirectory(dir=source.parent) as place:  # on the disk that the source is on
        compare(source, Path(place))  # brings the source into the page cache, too
        record = Record("convert", words, given.out)
        with tqdm(total=given.rounds * len(seconds), unit=" conversions", dynamic_ncols=True, delay=1) as bar:
            for _ in range(given.rounds):
                for name, found in seconds.items():
                    found.append(taken := once(name, source, Path(place)))
                    record.add(converter=name, videos=given.videos, bytes=bytes_in_all, seconds=taken)
                    bar.update()
    record.head(COLUMNS)
    for name, found in seconds.items():
        own = statistics.median(found)
        loop = seconds[name.replace(OURS, PEER)]
        record.row(
            [
                name,
                f"{given.videos / own:,.0f}",
                f"{bytes_in_all / own / 1e6:,.0f}",
                "" if name == COPY else "1" if loop is found else spread(ratios(loop, found)),
                "1" if name == COPY else spread(ratios(seconds[COPY], found)),
            ]
        )
    bars = [Bar(name, [given.videos / own for own in found]) for name, found in seconds.items()]
    megabytes = f"{bytes_in_all / 1e6:,.0f} MB"
    record.panel(f"{given.videos:,} videos, {megabytes}", "videos/s", bars)
    record.say(f"\n{megabytes} of TFRecords, {given.rounds} rounds: medians, [lowest, highest] of the pairs.")


def once(name: str, source: Path, place: Path) -> float:
    """Seconds of one conversion or, for the limit, copy; what it makes is removed."""
    out = place / "out"
    out.mkdir()
    begin = time.perf_counter()
    if name == COPY:
        _copy(source, out)
    else:
        convert(name, source, out)
    taken = time.perf_counter() - begin
    shutil.rmtree(out)
    return taken


def convert(name: str, source: Path, out: Path) -> None:
    """Run one of `CONVERTERS`.

    Raises:
        UserError: it failed.
    """
    side, workers = CONVERTERS[name]
    if side == OURS:
        own = [sys.executable, "-m", "datasets.convert", str(source), "--out", str(out)]
        command = [*own, "--workers", str(workers), "--shard-mib", str(SHARD_MIB)]
    else:
        loop = [str(sides.PEER_PYTHON), "-m", "benchmarks.peers.convert_protobuf"]
        command = [*loop, str(source), str(out), str(workers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{name}: {(done.stderr.strip() or f'code {done.returncode}').splitlines()[-1]}")


def compare(source: Path, place: Path) -> None:
    """Raises a UserError where the two converters do not give the same videos."""
    found = []
    for side in (OURS, PEER):
        out = place / side
        out.mkdir()
        convert(f"{side}, 2 processes", source, out)
        found.append(contents(sorted(out.glob("*.h5"))))
        shutil.rmtree(out)
    for name, own in found[0].items():
        if found[1][name] != own:
            raise UserError(f"{source}: {name} are not the same by both converters, and nothing was measured")


def contents(paths: Sequence[Path]) -> dict[str, str]:
    """Digests of what data files hold together, by kind; how it is cut into files does not matter."""
    found: dict[str, hashlib._Hash] = {}
    for path in paths:
        with h5py.File(path, "r") as file:
            values = {f"features/{name}": frames[:] for name, frames in file["features"].items()}
            counts = {f"offsets/{name}": np.diff(own[:]) for name, own in file["offsets"].items()}
            labels = {"labels": file["labels"][:], "label_offsets": np.diff(file["label_offsets"][:])}
            ids = {"ids": np.char.add(file["ids"][:], b"\n").astype("S32")}
        for name, own in {**values, **counts, **labels, **ids}.items():
            found.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(own).data)
    return {name: digest.hexdigest() for name, digest in found.items()}


def _copy(source: Path, out: Path) -> None:
    for path in source.iterdir():
        with path.open("rb") as file, (out / path.name).open("wb") as target:
            shutil.copyfileobj(file, target, PIECE_BYTES)
            target.flush()
            os.fsync(target.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
