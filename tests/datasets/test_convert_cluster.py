import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets import convert

ROOT = Path(__file__).parents[2]


def digests(folder):
    """SHA-256 of everything in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def started(tmp_path, dask_cluster, video, write_tfrecord):
    """A conversion by three workers that has made three of its files; the output's folder, and what it should be."""
    dask_cluster.start_workers(3)
    videos = [video(f"{n:04}", frames=100, rgb=1024, audio=128) for n in range(200)]
    videos[190] = videos[10]  # the id occurs twice, in files that two workers make
    source = write_tfrecord(tmp_path / "train", videos)  # 23 MB, 25 files
    options = ["--shard-mib", "1", "--skip-bad"]
    assert convert.main([str(source), "--out", str(tmp_path / "alone"), *options, "--workers", "1"]) == 0
    out = tmp_path / "out"
    command = [sys.executable, "-m", "datasets.convert", source.name, "--out", "out", *options]
    process = subprocess.Popen(
        [*command, "--cluster", dask_cluster.address],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(out.glob("*.h5"))) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    yield process, out
    process.kill()


def test_one_of_three_workers_is_killed(started, dask_cluster, tmp_path):
    process, out = started
    dask_cluster.workers[0].kill()
    said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "199 videos in 25 files of split train; 1 bad record left out" in said[0]
    assert "Remove worker addr" in dask_cluster.log()
    assert digests(out).keys() == digests(tmp_path / "alone").keys()
    files = {name: digest for name, digest in digests(out).items() if name.endswith(".h5")}
    assert files.items() <= digests(tmp_path / "alone").items()


@pytest.mark.long
def test_ctrl_c_leaves_one_line_and_nothing_half_done(started, dask_cluster):
    process, out = started
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "interrupted; the same command goes on where it stopped\n"
    assert process.returncode == 130
    assert all(path.suffix == ".h5" for path in out.iterdir())
    assert all(worker.poll() is None for worker in dask_cluster.workers)


@pytest.mark.long
def test_all_workers_die_and_others_come(started, dask_cluster):
    process, _ = started
    for worker in dask_cluster.workers:
        worker.kill()
    dask_cluster.start_workers(1)
    said = process.communicate(timeout=90)
    assert process.returncode == 0, said


@pytest.mark.long
def test_the_scheduler_dies(started, dask_cluster):
    process, out = started
    dask_cluster.scheduler.kill()
    said = process.communicate(timeout=60)[1]
    reason = "its scheduler has gone; start it again, and say the same command again"
    assert (process.returncode, said) == (1, f"error: --cluster {dask_cluster.address}: {reason}\n")
    assert all(path.suffix == ".h5" for path in out.glob("[!.]*"))  # a worker may have left more where no one looks
