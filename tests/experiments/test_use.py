"""``predict`` and ``export`` as they are typed, on a net that was just trained on a few synthetic videos."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets import sequence_example, tfrecord
from datasets.record import Record
from experiments.inference import batches, description, engines, predictions, videos
from experiments.inference.description import Modality

ROOT = Path(__file__).parents[2]


def run(*words, program=("experiments/run.py",)):
    return subprocess.run([sys.executable, *program, *words], cwd=ROOT, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the data and the parameters of a smoke run of each model."""
    folder = tmp_path_factory.mktemp("use")
    for name, experiment in (("cluster", "attention_cluster_youtube8m"), ("lstm", "attention_lstm_flash_mnist")):
        more = ["hidden_units=[8,16]"] if name == "cluster" else []
        done = run(
            "-u",
            "with",
            "smoke",
            f"experiment={experiment}",
            f"runtime.runs_dir={folder}/{name}",
            f"runtime.data_root={folder}/data",
            *more,
        )
        assert done.returncode == 0, done.stderr
        (found,) = (folder / name).glob("unrecorded-*/checkpoints/last")
        (folder / f"{name}.params").write_bytes((found / "net.params").read_bytes())
    return folder


def words(place, name="cluster", data="smoke_youtube8m"):
    own = {
        "cluster": ["experiment=attention_cluster_youtube8m", "hidden_units=[8,16]"],
        "lstm": ["experiment=attention_lstm_flash_mnist"],
    }[name]
    return [*own, f"weights={place}/{name}.params", f"input={place}/data/{data}", f"runtime.data_root={place}/data"]


def read_csv(path):
    with path.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["VideoId", "LabelConfidencePairs"]
    return {name: np.array(pairs.split(), float).reshape(-1, 2) for name, pairs in rows[1:]}


def test_every_video_has_its_line_whatever_the_batch_size(place, tmp_path):
    found = []
    for batch_size in (1, 5, 64):
        output = tmp_path / f"{batch_size}.csv"
        done = run("predict", "with", *words(place), f"batch_size={batch_size}", f"output={output}")
        assert done.returncode == 0, done.stderr
        assert f"48 videos in {output}" in done.stdout
        found.append(read_csv(output))
    assert len(found[0]) == 48
    for other in found[1:]:
        assert list(other) == list(found[0])
        for name, pairs in other.items():
            assert pairs.shape == (20, 2)
            np.testing.assert_allclose(np.sort(pairs[:, 1]), np.sort(found[0][name][:, 1]), atol=1.5e-6)


@pytest.mark.parametrize("name", ["cluster", "lstm"])
def test_an_exported_net_predicts_as_the_net_itself(place, tmp_path, name):
    """In each engine that is here, over videos of different lengths."""
    data = "smoke_youtube8m" if name == "cluster" else "smoke_flash_mnist"
    ours = words(place, name, data)
    assert run("predict", "with", *ours, f"output={tmp_path}/own.jsonl").returncode == 0
    given = [word for word in ours if not word.startswith("input=")]
    done = run("export", "with", *given, f"input={place}/data/{data}", f"to={tmp_path}/net")
    assert done.returncode == 0, done.stderr
    own = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]
    for engine in engines.NAMES:
        if engine == "onnxruntime" and not (tmp_path / "net" / "net.onnx").is_file():
            pytest.skip("onnx is not installed here")
        command = [
            f"{tmp_path}/net",
            f"{place}/data/{data}",
            "--engine",
            engine,
            "--output",
            f"{tmp_path}/{engine}.jsonl",
        ]
        done = run(*command, program=("-m", "experiments.inference"))
        assert done.returncode == 0, done.stderr
        other = [json.loads(line) for line in (tmp_path / f"{engine}.jsonl").read_text().splitlines()]
        assert [line["video"] for line in other] == [line["video"] for line in own]
        for first, second in zip(own, other, strict=True):
            values = [[pair["probability"] for pair in line["predictions"]] for line in (first, second)]
            np.testing.assert_allclose(*values, atol=1e-5)


def test_inference_imports_no_training_code():
    others = {"mxnet", "sacred", "h5py", "pymongo", "onnxruntime", "matplotlib", "cv2"}
    program = f"import sys; from experiments import inference; print(sorted(set(sys.modules) & {others}))"
    assert run("-c", program, program=()).stdout == "[]\n"


def record(name, frames, width=1024):
    return Record(
        name,
        np.array([1]),
        {"rgb": np.full((frames, width), 7, np.uint8), "audio": np.full((frames, 128), 7, np.uint8)},
    )


def test_a_bad_video_is_named_and_the_good_ones_can_be_done_without_it(place, tmp_path):
    source = tmp_path / "a.tfrecord"
    tfrecord.write(
        source,
        [sequence_example.serialize(own) for own in (record("aaaa", 9), record("bbbb", 9, 7), record("cccc", 3))],
    )
    given = [*words(place), f"input={source}"]
    done = run("predict", "with", *given, f"output={tmp_path}/p.csv")
    line = f"Mistake: {source}: record 1 (byte "
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line)
    assert "skip_bad=True leaves such videos out" in done.stderr
    assert not list(tmp_path.glob("*.csv"))
    done = run("predict", "with", *given, f"output={tmp_path}/p.csv", "skip_bad=True")
    assert done.returncode == 0
    assert list(read_csv(tmp_path / "p.csv")) == ["aaaa", "cccc"]
    assert re.search(rf"left out: {source}: record 1 \(byte \d+\): rgb has frames of shape \(7,\)", done.stderr)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["predict", "with", "input=x"], "predict: weights missing"),
        (["predict", "with", "weights=1"], "predict: input missing"),
        (["export", "with", "weights=1"], "export: to missing"),
        (["predict", "with", "weights=/none.params", "input=/none"], "/none.params"),
        (["predict", "with", "weights=1", "input=/none", "top_k=many"], "predict: top_k='many' is not an integer"),
    ],
)
def test_mistakes_are_one_line(given, message):
    done = run(*given)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def net(**changes):
    own = {"modalities": [Modality("rgb", 2, -2.0, 2.0)], "num_classes": 3, "single_label": False, "seg_num": None}
    return description.Description(**{**own, "class_names": [], "model": {}, "origin": {}, **changes})


def test_features_in_the_type_that_the_net_takes():
    values = np.array([[0, 255], [51, 102]], np.uint8)  # (2 frames, 2)
    own = Record("a", np.array([]), {"rgb": values})
    (same,) = batches.check(own, net(), {"rgb": (-2.0, 2.0)})
    assert same is values
    (scaled,) = batches.check(own, net(), {"rgb": (0.0, 1.0)})
    np.testing.assert_array_equal(scaled, np.rint((values / 255 + 2) * 255 / 4).astype(np.uint8))
    (floats,) = batches.check(own, net(modalities=[Modality("rgb", 2)]), {"rgb": (-2.0, 2.0)})
    np.testing.assert_allclose(floats, values * (4 / 255) - 2.0, rtol=1e-6)
    (sampled,) = batches.check(own, net(seg_num=4), {"rgb": (-2.0, 2.0)})
    np.testing.assert_array_equal(sampled, values[[0, 0, 1, 1]])


def test_the_best_classes_come_first_and_of_equal_ones_the_lower():
    values = np.array([[0.1, 0.5, 0.5, 0.2], [0.0, 0.0, 0.0, 0.0]], np.float32)
    classes, best = predictions.best(values, 3)
    np.testing.assert_array_equal(classes, [[1, 2, 3], [0, 1, 2]])
    np.testing.assert_array_equal(best[0], np.float32([0.5, 0.5, 0.2]))
    assert predictions.best(values, 20)[0].shape == (2, 4)


def test_probabilities_are_the_sigmoids_or_the_softmaxs():
    logits = np.array([[1000.0, -1000.0, 0.0], [1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(engines.probabilities(logits, False)[0], [1, 0, 0.5], atol=1e-7)
    expected = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(engines.probabilities(logits, True), [[1, 0, 0], expected], atol=1e-7)


def test_a_list_names_files(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"a")
    (tmp_path / "list.txt").write_text("# mine\n\na.tfrecord\n")
    assert videos.look(tmp_path / "list.txt").features == [tmp_path / "a.tfrecord"]
