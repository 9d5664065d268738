"""What an extraction leaves in its folder, and what it finds there; tiny clips, random weights."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.errors import DataError
from experiments import extraction
from experiments.extract import Extraction, extract
from gluon_models.errors import ModelError

ROOT = Path(__file__).parents[2]
SETTINGS = Extraction(backbone="mobilenet0.25", pretrained=False, size=32, audio=False)
OTHERWISE = replace(SETTINGS, frames_per_second=2.0)


def write_clip(path, frames=10):
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (40, 26))
    rng = np.random.default_rng(frames)
    for _ in range(frames):
        writer.write(rng.integers(0, 256, (26, 40, 3), dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.avi")


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.mp4"
    path.write_text("no video")
    return path


def rate(out):
    return json.loads((out / "extraction.json").read_text())["frames_per_second"]


def test_a_split_that_is_begun_binds_the_others_but_nothing_made_binds_nobody(clip, bad, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match="not a video"):
        extract([bad], out, "train", SETTINGS)
    with pytest.raises(DataError, match="not a video"):
        extract([clip, bad], out, "train", OTHERWISE)  # the folder has nothing yet
    assert rate(out) == 2.0
    with pytest.raises(DataError, match=r"extraction\.json: frames_per_second is 2\.0 there and 1\.0 now"):
        extract([clip], out, "validate", SETTINGS)
    assert sorted(path.name for path in out.iterdir()) == [".train.extract", "extraction.json"]
    assert rate(out) == 2.0


def test_notes_are_told_again(clip, tmp_path):
    first = extract([clip], tmp_path / "out", "train", replace(SETTINGS, audio=True))
    assert first.notes == [f"{clip}: no sound"]
    assert extract([clip], tmp_path / "out", "train", replace(SETTINGS, audio=True)) == first


def test_an_export_carries_what_raw_video_needs(clip, tmp_path, capsys):
    rng = np.random.default_rng(2)
    matrices = {"mean": rng.normal(size=256), "vectors": rng.normal(size=(256, 3)), "eigenvalues": rng.random(3)}
    pca, folder = tmp_path / "pca.npz", tmp_path / "net"
    np.savez(pca, **matrices)
    folder.mkdir()
    extractor = extraction.Extractor(replace(SETTINGS, pca=pca))
    description = extractor.description()
    carried = extraction.carry(description, folder)
    moved = folder.rename(tmp_path / "moved")
    pca.unlink()

    record = tmp_path / "settings.json"
    record.write_text(json.dumps(carried))
    settings = Extraction.read(record, folder=moved)
    assert settings.pca == moved / "extraction-pca.npz"
    assert hashlib.sha256(settings.pca.read_bytes()).hexdigest() == description["pca_sha256"]
    found = extraction.Extractor(settings).features(clip, [])["rgb"]
    assert (found == extractor.features(clip, [])["rgb"]).all()

    assert extraction.carry(None, moved) is None
    assert extraction.carry(description, moved) == description  # what has gone is told of
    assert f"{pca}: not the pca of the features any more" in capsys.readouterr().err


def test_no_pictures_of_size_0():
    with pytest.raises(ModelError, match="takes no pictures of 0 x 0; give a size above 0"):
        extraction.Extractor(replace(SETTINGS, size=0))


@pytest.mark.long
def test_two_at_once_that_differ_do_not_both_succeed(tmp_path):
    clip = write_clip(tmp_path / "b.avi", 200)
    out, started = tmp_path / "out", []
    own = [f"video={clip}", f"to={out}", "backbone=mobilenet0.25", "pretrained=False", "size=32", "audio=False"]
    for number, split in enumerate(("train", "validate"), start=1):
        words = ["experiments/run.py", "extract", "with", *own, f"split={split}", f"frames_per_second={number}.0"]
        started.append(subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True))
    deadline = time.monotonic() + 120
    errors = [process.communicate(timeout=max(1, deadline - time.monotonic()))[1] for process in started]
    codes = [process.returncode for process in started]
    assert sorted(codes) == [0, 1], errors
    assert "frames_per_second is" in errors[codes.index(1)]
    assert rate(out) == codes.index(0) + 1
    assert not list(out.glob(".*"))
