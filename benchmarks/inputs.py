"""Synthetic videos for the benchmarks that read files, made once."""

import tempfile
from pathlib import Path

from datasets import synthetic
from experiments import ROOT


def synthetic_videos(count: int, tfrecords: bool = False) -> Path:
    """A folder with data files of ``count`` videos as YouTube-8M has them, made where it is not there yet.

    Args:
        count: of videos.
        tfrecords: as YouTube-8M's TFRecords in place of data files.
    """
    folder = ROOT / "data" / f"bench_{'tfrecords' if tfrecords else 'youtube8m'}_{count}"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        write = synthetic.write_tfrecords if tfrecords else synthetic.write_split
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            write(Path(place) / "whole", synthetic.youtube8m(), "train", count, seed=0)
            (Path(place) / "whole").rename(folder)
    return folder
