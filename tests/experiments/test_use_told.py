"""What ``predict``, ``export`` and ``extract`` tell a user: which files are taken, what is wrong, what goes on."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest

from datasets import hdf5, sequence_example, tfrecord
from datasets.errors import DataError
from datasets.record import Record
from experiments import inference, use, weights
from experiments.class_names import class_names
from experiments.errors import UserError
from experiments.extract import Summary
from experiments.inference import __main__ as alone
from experiments.inference import engines, predictions
from experiments.inference.description import Description, Modality
from gluon_models import backbones
from gluon_models.errors import ModelError

ROOT = Path(__file__).parents[2]


def features(name, width=2):
    return Record(name, np.array([1]), {"rgb": np.full((3, width), 7, np.uint8)})


def write_tfrecord(path, *names, width=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    tfrecord.write(path, [sequence_example.serialize(features(name, width)) for name in names])
    return path


def write_data(path, *names):
    counts = np.arange(len(names) + 1)
    empty = np.zeros(0, np.int32), np.zeros(len(names) + 1, np.int64)
    rgb = {"rgb": np.zeros((len(names), 2), np.uint8)}
    hdf5.write(path, hdf5.Shard(rgb, {"rgb": counts}, *empty, list(names), 3, False, {"rgb": (-2.0, 2.0)}))


def net(**changes):
    own = {"modalities": [Modality("rgb", 2, -2.0, 2.0)], "num_classes": 3, "single_label": False, "seg_num": None}
    return Description(**{**own, "class_names": [], "model": {}, "origin": {}, **changes})


def predicted(source, net=net(), **options):  # noqa: B008  it is frozen
    def engine(batch):
        return np.tile(np.array([[-1.0, 2.0, 0.0]]), (len(batch.ids), 1))

    return inference.run(inference.Request(source, **options), net, engine)


def test_an_id_that_comes_again_is_noted_once(tmp_path, capsys):
    write_tfrecord(tmp_path / "a.tfrecord", "x", "y", "y", "z", "x")
    predicted(tmp_path, batch_size=2)
    assert "the same id again: 2 videos, the first is y; each has its line\n" in capsys.readouterr().err


def test_an_exported_net_names_the_way_for_raw_videos_and_its_own_options(tmp_path, capsys):
    (tmp_path / "x.mp4").write_bytes(b"video")
    assert alone.main([str(tmp_path), str(tmp_path / "x.mp4")]) == 1
    way = f"python experiments/run.py predict with weights={tmp_path} input={tmp_path}/x.mp4"
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/x.mp4: a raw video, whose features are to be made first: {way}\n"
    )
    write_tfrecord(tmp_path / "a.tfrecord", "x")
    path = write_tfrecord(tmp_path / "b" / "b.tfrecord", "x")
    path.write_bytes(path.read_bytes()[:-9])
    for by, word in (("--skip-bad", "--skip-bad"), (None, "skip_bad=True")):
        with pytest.raises(DataError, match=f"{word} leaves such videos out"):
            predicted(path, **({"skip_bad_by": by} if by else {}))


def test_data_of_another_kind_are_told_by_their_first_video(tmp_path):
    source = write_tfrecord(tmp_path / "a.tfrecord", "x", "y")
    other = net(modalities=[Modality("image", 50)])
    with pytest.raises(UserError) as raised:
        predicted(source, other)
    assert str(raised.value) == f"{source}: this net takes image (50); these data have rgb (2)"
    with pytest.raises(UserError, match=r"takes rgb \(9\); these data have rgb \(2\)$"):
        predicted(source, net(modalities=[Modality("rgb", 9)]))


def test_classes_without_names(tmp_path, capsys):
    source = write_tfrecord(tmp_path / "a.tfrecord", "x")
    predicted(source, output=tmp_path / "o.jsonl")
    told = capsys.readouterr()
    assert told.out.startswith("x  88.1 % class 1   50.0 % class 2")
    assert told.out.endswith(f"1 video in {tmp_path}/o.jsonl\n")
    assert "no vocabulary is known, so classes are numbers; vocabulary=FILE gives them names\n" in told.err
    assert json.loads((tmp_path / "o.jsonl").read_text())["predictions"][0]["name"] == "1"
    predicted(source, net(class_names=["one", "two", "three"]))
    told = capsys.readouterr()
    assert "vocabulary" not in told.err
    assert told.out == "x  88.1 % two   50.0 % three   26.9 % one\n"
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        class_names("", tmp_path, 3, str(tmp_path / "none.csv"))


def test_only_a_terminal_has_an_end_of_the_line(tmp_path, capsys):
    names = [f"a class with a long name {number}" for number in range(3)]
    predicted(write_tfrecord(tmp_path / "a.tfrecord", "x"), net(class_names=names))
    (line,) = capsys.readouterr().out.splitlines()
    assert all(name in line for name in names)
    short = predictions.table(["x"], np.array([[1, 2]]), np.array([[0.5, 0.2]]), net(class_names=names), 60)
    assert short == "x  50.0 % a class with a long name 1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output": "{here}"}, r"output={here}: a folder; name a file in it, NAME\.csv or NAME\.jsonl"),
        ({"output": "{here}/x.txt"}, r"output={here}/x\.txt: must end in \.csv or \.jsonl"),
        ({"output": "{here}/file/x.csv"}, r"output={here}/file/x\.csv: cannot be written: Not a directory"),
        ({"output": "/proc/none/x.csv"}, r"output=/proc/none/x\.csv: cannot be written: No such file"),
        ({"top_k": 0}, r"top_k=0: below 1$"),
        ({"batch_size": -1}, r"batch_size=-1: below 1$"),
        ({"batch_size": "many"}, r"batch_size='many' is not an integer"),
    ],
)
def test_mistakes_of_the_output_come_before_the_net(tmp_path, given, message):
    (tmp_path / "file").write_text("")
    own = {key: value.format(here=tmp_path) if isinstance(value, str) else value for key, value in given.items()}
    with pytest.raises(UserError, match=message.format(here=tmp_path)):
        use.run("predict", {"weights": "no such file", "input": "x", **own})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_where_nothing_can_be_written_export_and_extract_say_so_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for to, why in (("/proc", "No such file"), (f"{tmp_path}/file", "Not a directory")):
        with pytest.raises(UserError, match=f"^to={to}: cannot be written: {why}"):
            use.run("export", {"weights": "no such file", "to": to})
        with pytest.raises(UserError, match=f"^to={to}: cannot be written: {why}"):
            use.run("extract", {"video": "no such file", "to": to})


def test_keys_that_an_exported_net_does_not_take(tmp_path):
    net().write(tmp_path)
    with pytest.raises(UserError, match="no key named inputt; did you mean input"):
        use.run("predict", {"weights": str(tmp_path), "input": "x", "inputt": "y"})


@pytest.fixture
def exported(tmp_path):
    """The files of a net in MXNet, as an export has them."""
    folder = tmp_path / "net"
    folder.mkdir()
    net().write(folder)
    values = mx.sym.cast(mx.sym.var("features_rgb"), dtype="float32")
    scores = mx.sym.FullyConnected(mx.sym.mean(values, axis=1), num_hidden=3, name="fc")
    lengths = mx.sym.sum(mx.sym.cast(mx.sym.var("lengths"), dtype="float32"), axis=1, keepdims=True)
    mx.sym.broadcast_add(scores, 0 * lengths).save(str(folder / engines.SYMBOL))
    arrays = {"arg:fc_weight": mx.nd.ones((3, 2)), "arg:fc_bias": mx.nd.zeros(3)}
    mx.nd.save(str(folder / "net-0000.params"), arrays)
    return folder


@pytest.mark.parametrize("name", ["net-0000.params", "net-symbol.json", "net.onnx", "net.json"])
@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_damaged_file_of_an_export_is_one_line(exported, tmp_path, capsys, name, content):
    source = write_tfrecord(tmp_path / "a.tfrecord", "x")
    engine = "onnxruntime" if name == "net.onnx" else "mxnet"
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    else:
        assert alone.main([str(exported), str(source)]) == 0
    capsys.readouterr()
    path = exported / name
    whole = path.read_bytes() if path.is_file() else b"\x08\x07" + bytes(100)
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert alone.main([str(exported), str(source), "--engine", engine]) == 1
    assert capsys.readouterr().err == f"error: {path}: not readable; export the net again\n"


def test_a_terminal_shows_classes_below_each_other_where_its_line_does_not_hold_them(exported, tmp_path):
    """One of 40 columns: each class takes 16."""
    source = write_tfrecord(tmp_path / "a.tfrecord", "x")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 40, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "experiments.inference", str(exported), str(source)]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert os.read(ours, 1000).decode() == "x 100.0 % class 0  100.0 % class 1\r\n  100.0 % class 2\r\n"
    os.close(ours)


def test_weights_are_a_checkpoint_s_folder_too_but_no_part_of_an_export(exported, tmp_path):
    config = {"runtime": {"runs_dir": str(tmp_path), "model_dir": "x"}, "allow_unverified": False}
    checkpoint = tmp_path / "last"
    checkpoint.mkdir()
    (checkpoint / "net.params").write_bytes(b"")
    assert weights.find({**config, "weights": str(checkpoint)}) == checkpoint / "net.params"
    for given in (exported, exported / "net-0000.params"):
        with pytest.raises(UserError, match=f"weights={given}: of an exported net, .* by weights={exported}$"):
            weights.find({**config, "weights": str(given)})
    with pytest.raises(UserError, match=r"run 99: no folder .*; `python -m experiments runs` lists the runs"):
        use.run("predict", {"weights": 99, "input": "x", "runtime": {"runs_dir": str(tmp_path)}})


def test_a_data_file_that_is_cut_off(tmp_path):
    path = tmp_path / "a.h5"
    write_data(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"a\.h5: cut off; copy or make it again$"):
        predicted(path)


def test_an_unknown_backbone_is_told_the_nearest():
    with pytest.raises(ModelError, match=r"unknown backbone 'foo'; the nearest of \d+ names are \S+(, \S+){4}$"):
        backbones.load("foo")


def test_one_of_a_thing_is_no_plural():
    assert str(Summary(1, 1, 1, "train")) == "1 video, 1 picture in 1 data file of split train"
    assert str(Summary(2, 1000, 3, "train")) == "2 videos, 1,000 pictures in 3 data files of split train"


def test_help_lists_every_key():
    for command, options in use.OPTIONS.items():
        lines = use.help_of(command).splitlines()
        assert max(map(len, lines)) <= 120
        for key, option in options.items():
            (line,) = [line for line in lines if line.split()[:1] == [key] and option.words in line]
            assert option.default is None or str(option.default) in line
    done = subprocess.run(
        [sys.executable, "experiments/run.py", "help", "predict"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == use.help_of("predict") + "\n"


@pytest.mark.parametrize("output", [False, True])
def test_a_closed_pipe_ends_it_quietly(exported, tmp_path, output):
    """And the file is written nevertheless."""
    source = write_tfrecord(tmp_path / "a.tfrecord", *(f"video{number}" for number in range(3000)))
    more = ["--output", str(tmp_path / "o.csv")] if output else []
    command = [sys.executable, "-m", "experiments.inference", str(exported), str(source), "--batch-size", "8", *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("video0")
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 0, said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert (tmp_path / "o.csv").is_file() == output
    if output:
        assert len((tmp_path / "o.csv").read_text().splitlines()) == 3001


def test_an_empty_video_has_one_hint(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"")
    given = {"video": str(tmp_path), "to": str(tmp_path / "out"), "backbone": "mobilenet0.25", "pretrained": False}
    with pytest.raises(DataError, match=r"x\.mp4: empty file; skip_bad=True leaves such out$"):
        use.run("extract", {**given, "size": 32})


def test_an_interrupted_extraction_says_how_far_it_came(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(40):
        code = cv2.VideoWriter_fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(tmp_path / "in" / f"{number:02d}.avi"), cv2.CAP_OPENCV_MJPEG, code, 10, (41, 27))
        for grey in range(10):
            writer.write(np.full((27, 41, 3), number + 10 * grey, np.uint8))
        writer.release()
    given = [f"video={tmp_path}/in", f"to={tmp_path}/out", "backbone=mobilenet0.25", "size=32"]
    command = [sys.executable, "experiments/run.py", "extract", "with", *given, "pretrained=False", "audio=False"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        until = time.monotonic() + 60
        while not list(tmp_path.glob("out/.train.extract/*.npz")) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    (line,) = [line for line in said.splitlines() if line.startswith("interrupted")]
    number = int(line.split()[2])
    assert 0 < number < 40
    assert line == f"interrupted after {number} of 40 videos; the same command goes on"
    assert len(list(tmp_path.glob("out/.train.extract/*.npz"))) == number
