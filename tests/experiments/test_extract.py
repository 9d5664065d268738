import csv
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets import hdf5, hdf5_check
from datasets.errors import DataError
from datasets.layout import YOUTUBE8M_RANGE
from experiments import extraction
from experiments.extract import Extraction, extract, videos_in

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SETTINGS = Extraction(backbone="mobilenet0.25", pretrained=False, size=32)
SILENT = replace(SETTINGS, audio=False)  # half the processes


def write_clip(path, frames, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (41, 27))
    rng = np.random.default_rng(seed)
    for _ in range(frames):
        writer.write(rng.integers(0, 256, (27, 41, 3), dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / "a.avi", 10, 0), write_clip(folder / "b.avi", 25, 1)]


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.mp4"
    path.write_text("no video")
    return path


def features_of(path, settings):
    return extraction.Extractor(settings).features(path, [])


def labels_file(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "labels"], *rows])
    return path


def random_pca(path, width=256, kept=5):
    rng = np.random.default_rng(2)
    np.savez(
        path,
        mean=rng.normal(size=width),
        vectors=rng.normal(size=(width, kept)) / width**0.5,
        eigenvalues=rng.random(kept) / 10,
    )
    return path


def test_videos_become_a_dataset_that_another_video_can_be_added_to(clips, tmp_path):
    out = tmp_path / "out"
    labels = labels_file(tmp_path / "labels.csv", [["b", "2 0"], ["a", "1"], ["not here", "7"]])
    summary = extract(clips, out, "train", SETTINGS, labels=labels, num_classes=8)
    assert (summary.videos, summary.frames, summary.files) == (2, 4, 1)
    assert summary.notes == [f"{path}: no sound" for path in clips]
    (path,) = hdf5.shard_files(out, "train")
    assert hdf5_check.check(path) == 2
    shard = hdf5.read(path)
    assert shard.ids == ["a", "b"]
    assert shard.offsets["rgb"].tolist() == [0, 1, 4]
    assert shard.features["rgb"].shape == (4, 256)
    assert shard.features["audio"].shape == (0, 128)
    assert shard.labels.tolist() == [1, 2, 0]
    assert shard.label_offsets.tolist() == [0, 1, 3]
    assert shard.num_classes == 8
    assert not list(out.glob(".*"))

    settings = Extraction.read(out / "extraction.json")
    assert (settings.backbone, settings.size, settings.pretrained) == ("mobilenet0.25", 32, False)
    assert np.allclose(features_of(clips[1], settings)["rgb"], shard.features["rgb"][1:], atol=1e-6)

    recorded = json.loads((out / "extraction.json").read_text())
    (out / "extraction.json").write_text(json.dumps({**recorded, "weights_sha256": "0" * 64}))
    with pytest.raises(DataError, match="not the weights that the features were made with"):
        features_of(clips[1], Extraction.read(out / "extraction.json"))


def test_a_bad_video_ends_it_or_is_left_out_and_what_is_done_is_kept(clips, bad, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(
        DataError, match=r"bad\.mp4: not a video that can be read.*; skip_bad=True leaves such out"
    ) as raised:
        extract([clips[0], bad], out, "train", SILENT)
    assert "\n" not in str(raised.value)
    assert str(raised.value).count("bad.mp4") == 1
    assert not list(out.glob("*.h5"))
    (kept,) = (out / ".train.extract").glob("*.npz")
    np.savez(kept, rgb=np.full((1, 256), 7, np.float32), notes=np.array([], dtype=str))  # to be known again
    (out / ".train.extract" / "0123.tmp.npz").write_bytes(b"half")

    summary = extract([clips[0], bad], out, "train", SILENT, skip_bad=True)
    assert summary.videos == 1
    assert len(summary.bad) == 1
    assert "bad.mp4: not a video" in str(summary)
    shard = hdf5.read(out / "train-00000-of-00001.h5")
    assert (shard.features["rgb"] == 7).all()
    assert "bad.mp4" in shard.skipped[0]
    assert "bad.mp4" in (out / "bad_records_train.csv").read_text()
    assert not (out / ".train.extract").exists()

    again = extract([clips[0], bad], out, "train", SILENT, skip_bad=True)  # nothing is left to do
    assert (again.videos, again.frames, len(again.bad)) == (1, 1, 1)
    with pytest.raises(DataError, match=r"made of other videos, labels or settings; remove the files"):
        extract(clips[:1], out, "train", SILENT)
    with pytest.raises(DataError, match=r"extraction\.json: frames_per_second is 1\.0 there and 2\.0 now"):
        extract(clips[:1], out, "validate", replace(SILENT, frames_per_second=2.0))
    assert (hdf5.read(out / "train-00000-of-00001.h5").features["rgb"] == 7).all()


def test_not_one_video_that_can_be_used(bad, tmp_path):
    with pytest.raises(DataError, match=r"no video can be used, see .*bad_records_test\.csv"):
        extract([bad], tmp_path / "out", "test", SILENT, skip_bad=True)


def test_whitened_and_as_bytes(clips, tmp_path):
    pca = random_pca(tmp_path / "pca.npz")
    plain = features_of(clips[1], SILENT)["rgb"].astype(np.float64)
    extract(clips[1:], tmp_path / "out", "train", replace(SILENT, pca=pca, quantize=True))
    shard = hdf5.read(tmp_path / "out" / "train-00000-of-00001.h5")
    assert shard.ranges == {"rgb": YOUTUBE8M_RANGE}
    assert shard.features["rgb"].dtype == np.uint8
    with np.load(pca) as file:
        for frame in range(3):
            for column in range(5):
                value = sum((plain[frame] - file["mean"]) * file["vectors"][:, column])
                value = min(2.0, max(-2.0, value / (file["eigenvalues"][column] + 1e-4) ** 0.5))
                assert abs(int(shard.features["rgb"][frame, column]) - (value + 2) * 255 / 4) <= 0.51
    pca.rename(tmp_path / "out" / "pca.npz")  # the folder is moved with all that is needed
    settings = Extraction.read(tmp_path / "out" / "extraction.json")
    assert (features_of(clips[1], settings)["rgb"] == shard.features["rgb"]).all()


def test_bytes_without_whitening_are_refused(clips, tmp_path):
    with pytest.raises(DataError, match="quantize: bytes hold -2 to 2"):
        extract(clips, tmp_path / "out", "train", replace(SILENT, quantize=True))


def test_matrices_that_do_not_fit(tmp_path):
    with pytest.raises(DataError, match=r"mean \(256,\) and vectors \(256, 5\) are not for width 2048"):
        extraction.Pca.read(random_pca(tmp_path / "pca.npz"), 2048)
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(DataError, match=r"text\.npz: not an \.npz file with mean, vectors, eigenvalues"):
        extraction.Pca.read(tmp_path / "text.npz", 256)


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.core.multiarray._reconstruct
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(name)


def test_a_real_whitened_vector_as_google_makes_bytes_of_it():
    path = SHARED / "google_yt8m_sports1m_frame.pkl"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open("rb") as file:
        frame = Arrays(file, encoding="latin1").load()
    # The matrices are not in the file. With any others, a mean can be found that takes its one vector to the other.
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.normal(size=(2048, 1024)))
    eigenvalues = rng.random(1024)
    mean = frame["original"] - vectors @ (frame["pca"] * np.sqrt(eigenvalues + 1e-4))
    found = extraction.Pca(mean, vectors, eigenvalues).apply(frame["original"][None])
    assert np.allclose(found[0], frame["pca"], atol=1e-5)
    # quantize of google/youtube-8m's extract_tfrecords_main.py, value by value
    wanted = [round((min(2.0, max(-2.0, value)) + 2.0) * (255.0 / 4.0)) for value in frame["pca"].tolist()]
    assert extraction.quantized(frame["pca"][None])[0].tolist() == wanted
    assert {0, 255} <= set(wanted)  # it has values beyond the range on both sides


def test_ids_and_labels(clips, tmp_path):
    other = write_clip(tmp_path / "other" / "a.avi", 10, 2)
    labels = labels_file(tmp_path / "labels.csv", [["a", "1"], ["a-2", "0"]])
    extract([clips[0], other], tmp_path / "out", "train", SILENT, labels=labels, single_label=True)
    shard = hdf5.read(tmp_path / "out" / "train-00000-of-00001.h5")
    assert (shard.ids, shard.num_classes, shard.single_label) == (["a", "a-2"], 2, True)

    def refused(reason, rows, **choices):
        file = labels_file(tmp_path / "wrong.csv", rows)
        with pytest.raises(DataError, match=reason):
            extract(clips[:1], tmp_path / "wrong", "train", SILENT, labels=file, **choices)

    refused("no row of the labels has the id a; skip_bad", [["b", "1"]])
    refused("line 2: labels 'cat' are not class numbers", [["a", "cat"]])
    refused("line 3: the id a occurs already", [["a", "1"], ["a", "2"]])
    refused("line 2: label 9, and there are 3 classes", [["a", "9"]], num_classes=3)
    refused("2 labels, not one", [["a", "1 2"]], single_label=True)


def test_videos_of_a_folder(clips, tmp_path):
    folder = clips[0].parent
    (folder / "notes.txt").touch()
    assert videos_in(folder) == clips
    assert videos_in(clips[1]) == clips[1:]
    with pytest.raises(DataError, match="no such file"):
        videos_in(tmp_path / "none")
    with pytest.raises(DataError, match=r"no video in it; their names end in \.mp4"):
        videos_in(tmp_path)


def test_the_command_says_a_mistake_in_one_line(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_GLUON_REPO", "http://127.0.0.1:9/")  # where nobody answers
    common = [f"video={clips[0]}", f"to={tmp_path}/out"]

    def told(*more):
        words = [sys.executable, "experiments/run.py", "extract", "with", *common, *more]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    assert "put GluonCV's inceptionv3-" in told(f"runtime.model_dir={tmp_path}/models")
    assert "did you mean 'inceptionv3'?" in told("pretrained=False", "backbone=inception3")
    assert not (tmp_path / "out").exists()


def test_real_videos(tmp_path):
    videos = [SHARED / "videos" / name for name in ("bigbuckbunny.mp4", "carphone_pristine.mp4")]
    if not all(path.is_file() for path in videos):
        pytest.skip(f"no {videos[0].parent}")
    summary = extract(videos, tmp_path / "out", "train", SETTINGS)
    assert (summary.videos, summary.frames) == (2, 11)
    assert summary.notes == [f"{videos[1]}: no sound"]
    shard = hdf5.read(tmp_path / "out" / "train-00000-of-00001.h5")
    assert shard.offsets["audio"].tolist() == [0, 5, 5]
    assert np.isfinite(shard.features["audio"]).all()
