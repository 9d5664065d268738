"""Small videos of YouTube-8M's kind, and where the real one lies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import sequence_example, tfrecord
from datasets.record import Record

REAL = Path(__file__).parents[3] / "shared" / "data"  # beside the project, where it is there at all


def _video(name: str, frames: int = 5, labels: tuple[int, ...] = (3, 1), rgb: int = 16, audio: int = 4) -> Record:
    rng = np.random.default_rng(list(name.encode()))
    widths = {"rgb": rgb, "audio": audio}
    features = {modality: rng.integers(0, 256, (frames, dim), np.uint8) for modality, dim in widths.items() if dim}
    return Record(name, np.array(labels, np.int64), features)


def _write_tfrecord(path: Path, videos: list[Record]) -> Path:
    tfrecord.write(path, [sequence_example.serialize(record) for record in videos])
    return path


def _real(name: str) -> Path:
    if not (REAL / name).is_file():
        pytest.skip(f"{name}, a real video, is not on this machine")
    return REAL / name


@pytest.fixture(scope="session")
def video() -> Callable[..., Record]:
    """Makes a video with features that depend on its name alone."""
    return _video


@pytest.fixture(scope="session")
def write_tfrecord() -> Callable[[Path, list[Record]], Path]:
    return _write_tfrecord


@pytest.fixture(scope="session")
def real_tfrecord() -> Path:
    return _real("yt8m_real_example_SjJ3.tfrecord")


@pytest.fixture(scope="session")
def real_pickle() -> Path:
    return _real("paddlevideo_example.pkl")
