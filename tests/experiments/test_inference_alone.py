"""An exported net where only one engine is installed, and the way from video files to labels, as they are typed."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]
CLIPS = ROOT.parent / "shared" / "data" / "videos"
REAL = ROOT.parent / "shared" / "data" / "yt8m_real_example_SjJ3.tfrecord"
ENGINES = ("mxnet", "onnxruntime")


def run(*words, program=("experiments/run.py",)):
    done = subprocess.run([sys.executable, *program, *words], cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def inference(engine, *words):
    """``python -m experiments.inference``, where of all packages only NumPy and ``engine`` can be imported."""
    hidden = {"sacred", "pymongo", "h5py", "gluoncv", "cv2", "tqdm", "yaml", "onnx", *ENGINES} - {engine}
    program = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({hidden}));"
        "runpy.run_module('experiments.inference', run_name='__main__', alter_sys=True)"
    )
    return run(*words, "--engine", engine, program=("-c", program))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the data of a smoke run, and its net in ``net``."""
    folder = tmp_path_factory.mktemp("exported")
    places = [f"runtime.runs_dir={folder}/runs", f"runtime.data_root={folder}/data"]
    own = ["experiment=attention_cluster_youtube8m", "hidden_units=[8]"]
    done = run("-u", "with", "smoke", *own, *places)
    assert done.returncode == 0, done.stderr
    (weights,) = (folder / "runs").glob("unrecorded-*/checkpoints/last/net.params")
    given = [f"weights={weights}", f"input={folder}/data/smoke_youtube8m", f"to={folder}/net"]
    done = run("export", "with", *own, *given, *places)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_one_engine_and_numpy_are_enough(exported, tmp_path, engine):
    if not REAL.is_file():
        pytest.skip(f"no {REAL}")
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    done = inference(engine, f"{exported}/net", str(REAL), "--output", f"{tmp_path}/labels.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") < 3, done.stderr  # the bar's
    with (tmp_path / "labels.csv").open() as file:
        (_, (name, pairs)) = list(csv.reader(file))
    assert name == "SjJ3"
    assert len(pairs.split()) == 40


def test_what_the_documentation_copies_is_enough(exported, tmp_path):
    """Its very commands, in a folder where the project is not to be found."""
    if not REAL.is_file():
        pytest.skip(f"no {REAL}")
    text = (ROOT / "docs" / "prediction.md").read_text()
    (block,) = re.findall(r"```sh\n(mkdir .*?)```", text, re.DOTALL)
    names = {"runs/1/net": exported / "net", "elsewhere": tmp_path, "videos.tfrecord": REAL, "python ": sys.executable}
    for name, path in names.items():
        block = block.replace(name, f"{path} " if name.endswith(" ") else str(path))
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(["sh", "-ec", block], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SjJ3 ")
    where = [sys.executable, "-c", "import experiments; print(experiments.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60).stdout
    assert found == f"{tmp_path}/experiments/__init__.py\n"


@pytest.mark.long
def test_an_installed_package_has_every_file(tmp_path):
    """Which git knows, in a folder of its own."""
    packages = ("datasets", "evaluation", "experiments", "gluon_models")
    listed = subprocess.run(["git", "ls-files", *packages], cwd=ROOT, capture_output=True, text=True, timeout=60)
    wanted = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    for name in (*wanted, "setup.py", "pyproject.toml"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    how = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "target")]
    done = run("pip", "install", *how, str(tmp_path / "source"), program=("-m",))
    assert done.returncode == 0, done.stderr
    assert [name for name in wanted if not (tmp_path / "target" / name).is_file()] == []


def test_what_is_missing_is_one_line(exported):
    (data, *_) = sorted((exported / "data" / "smoke_youtube8m").glob("*.h5"))
    done = inference("mxnet", f"{exported}/net", str(data))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"error: {data}: h5py is not installed here, which reads data files; install it"
    ]


@pytest.mark.long
def test_from_video_files_to_labels(tmp_path):
    """Features of real clips, a classifier trained on them, and the labels of parts that it has not seen."""
    if not CLIPS.is_dir():
        pytest.skip(f"no {CLIPS}")
    names = {"bigbuckbunny.mp4": "cartoon", "carphone_pristine.mp4": "a man in a car"}
    for label, name in enumerate(names):
        pictures = _pictures(CLIPS / name)
        for part in range(10):  # 0 to 7 to train on, 8 to validate on, 9 as somebody's own video
            split = "train" if part < 8 else "validate" if part == 8 else "own"
            own = pictures[part * len(pictures) // 10 : (part + 1) * len(pictures) // 10]
            _write(tmp_path / split / f"class{label}-{part}.mp4", own)
    places = [f"runtime.runs_dir={tmp_path}/runs", f"runtime.data_root={tmp_path}/data"]
    for split in ("train", "validate"):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            rows = [[path.stem, path.stem[5]] for path in sorted((tmp_path / split).iterdir())]
            csv.writer(file).writerows([["id", "labels"], *rows])
        made = ["backbone=mobilenet0.25", "pretrained=False", "frames_per_second=8.0", "size=64", "audio=False"]
        given = [f"video={tmp_path}/{split}", f"to={tmp_path}/data/mine", f"split={split}"]
        labels = [f"labels={tmp_path}/{split}.csv", "num_classes=2", "single_label=True"]
        assert run("extract", "with", *given, *labels, *made).returncode == 0
    vocabulary = ["Index,Name", *(f"{label},{name}" for label, name in enumerate(names.values()))]
    (tmp_path / "data" / "mine" / "vocabulary.csv").write_text("\n".join(vocabulary))
    recipe = ["dataset=mine", "loss=softmax_cross_entropy", "seg_num=None", "batch_size=8", "epochs=60"]
    net = ["cluster_nums=4", "hidden_units=[]", "shifting=False", "dropout=0.0", "learning_rate=0.01"]
    experiment = ["experiment=attention_cluster_youtube8m", "valid_interval=60", "lr_decay_epochs=[]"]
    done = run("with", *experiment, *recipe, *net, *places)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "labels.jsonl"
    done = run("predict", "with", "weights=1", f"input={tmp_path}/own", f"output={output}", *places)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["video"] for line in found] == ["class0-9", "class1-9"]
    assert [line["predictions"][0]["name"] for line in found] == list(names.values())


def _pictures(path):
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    return found


def _write(path, pictures):
    path.parent.mkdir(exist_ok=True)
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
