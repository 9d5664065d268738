import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets import hdf5_check
from datasets.errors import DataError
from datasets.video_dataset import VideoDataset

ROOT = Path(__file__).parents[2]


def digests(folder):
    """SHA-256 of everything in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def large(tmp_path, video, write_tfrecord):
    """A command whose conversion takes long enough to be interrupted, and its output folder."""
    videos = [video(f"{n:04}", frames=100, rgb=1024, audio=128) for n in range(400)]
    source = write_tfrecord(tmp_path / "train", videos)  # 46 MB, 50 files
    out = tmp_path / "out"
    return [sys.executable, "-m", "datasets.convert", source, "--out", out, "--shard-mib", "1", "--workers", "1"], out


def interrupt(command, out, number, sent):
    """Start ``command``, and send a signal when ``number`` files are there; its exit code and what it said."""
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(list(out.glob("*.h5"))) < number:
        assert process.poll() is None
        time.sleep(0.002)
    if sent == signal.SIGKILL:
        process.kill()  # the first process alone: its workers must end by themselves
    else:
        os.killpg(process.pid, sent)
    said = process.communicate(timeout=20)[1]  # which comes to an end when the workers do
    return process.returncode, said


def test_killed_twice_the_result_is_that_of_an_undisturbed_run(large, tmp_path):
    command, out = large
    for number in (3, 15):
        assert interrupt(command, out, number, signal.SIGKILL)[0] == -signal.SIGKILL
        with pytest.raises(DataError):
            VideoDataset.open(out, "train")
    assert len(list(out.glob("*.h5"))) < 50
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    undisturbed = tmp_path / "undisturbed"
    subprocess.run([undisturbed if word == out else word for word in command], cwd=ROOT, check=True)
    assert digests(out) == digests(undisturbed)
    assert len(list(out.iterdir())) == 50


def test_ctrl_c_leaves_one_line_and_nothing_half_done(large):
    command, out = large
    code, said = interrupt(command, out, 3, signal.SIGINT)
    assert code == 130
    assert said == "interrupted; the same command goes on where it stopped\n"
    assert all(path.suffix == ".h5" and hdf5_check.check(path) for path in out.iterdir())


def test_a_worker_that_is_killed_ends_the_conversion_in_one_line(large):
    command, out = large
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while len(list(out.glob("*.h5"))) < 3:
        time.sleep(0.002)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [worker] = [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGKILL)
    assert process.wait(20) == 1
    said = process.communicate()[1]
    assert said == "error: a process ended for want of memory, or was killed; try fewer --workers\n"
    assert all(path.suffix == ".h5" for path in out.iterdir())
