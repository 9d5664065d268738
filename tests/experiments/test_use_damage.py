"""What ``predict`` makes of damaged files and strange values: one line, or the rest without them."""

import json
import os
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

from datasets import hdf5
from datasets.errors import DataError
from experiments import extract, inference, use
from experiments.errors import UserError
from experiments.inference import description, engines, predictions, videos
from experiments.inference.description import Description, Modality


def write_data(path, *names):
    empty = np.zeros(0, np.int32), np.zeros(len(names) + 1, np.int64)
    rgb, counts = {"rgb": np.zeros((len(names), 2), np.uint8)}, np.arange(len(names) + 1)
    hdf5.write(path, hdf5.Shard(rgb, {"rgb": counts}, *empty, list(names), 3, False, {"rgb": (-2.0, 2.0)}))
    return path


def net(**changes):
    own = {"modalities": [Modality("rgb", 2, -2.0, 2.0)], "num_classes": 3, "single_label": False, "seg_num": None}
    return Description(**{**own, "class_names": [], "model": {}, "origin": {}, **changes})


def predicted(source, logits=(-1.0, 2.0, 0.0), net=net(), **options):  # noqa: B008  it is frozen
    def engine(batch):
        return np.tile(np.array([logits], np.float32), (len(batch.ids), 1))

    return inference.run(inference.Request(source, **options), net, engine)


def test_a_data_file_with_damaged_offsets_is_not_predicted(tmp_path):
    path = write_data(tmp_path / "a.h5", "x", "y")
    with h5py.File(path, "r+") as file:
        file["offsets/rgb"][-1] = 9
    with pytest.raises(DataError, match=r"a\.h5: offsets/rgb: do not rise from 0 to 2"):
        predicted(path)


def test_skip_bad_goes_on_after_a_file_that_cannot_be_read(tmp_path, capsys):
    write_data(tmp_path / "b.h5", "y")
    path = write_data(tmp_path / "a.h5", "x")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"^[^ ]*a\.h5: "):
        predicted(tmp_path)
    assert predicted(tmp_path, skip_bad=True) == 1
    told = capsys.readouterr()
    assert told.out == "y  88.1 % class 1   50.0 % class 2   26.9 % class 0\n"
    assert f"left out: {path}: record 0 (the whole file): " in told.err
    (tmp_path / "list.txt").write_text("none.h5\nb.h5\n")
    with pytest.raises(DataError, match=r"none\.h5: no such file"):
        predicted(tmp_path / "list.txt")
    assert predicted(tmp_path / "list.txt", skip_bad=True) == 1
    assert "none.h5: record 0 (the whole file): cannot be read: No such file" in capsys.readouterr().err


def test_a_list_that_names_itself(tmp_path):
    (tmp_path / "a.txt").write_text("b.txt\n")
    (tmp_path / "b.txt").write_text("a.txt\n")
    with pytest.raises(DataError, match=r"a\.txt: a list that names itself"):
        videos.look(tmp_path / "a.txt")


@pytest.mark.parametrize("command", ["predict", "export", "extract"])
@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ({"model_dirr": 5}, "no key named runtime.model_dirr; did you mean runtime.model_dir"),
        ({"model_dir": 5}, "runtime.model_dir=5 is not text"),
        (5, "runtime=5 is not a block"),
    ],
)
def test_keys_of_runtime_are_checked(tmp_path, command, runtime, message):
    (tmp_path / "net.json").write_text("{}")
    with pytest.raises(UserError, match=f"^{command}: {message}"):
        use.run(command, {"weights": str(tmp_path), "input": str(tmp_path), "runtime": runtime})


def test_classes_are_ranked_where_probabilities_are_equal(tmp_path, capsys):
    predicted(write_data(tmp_path / "a.h5", "x"), logits=(17.5, 38.0, 40.0))
    assert capsys.readouterr().out == "x 100.0 % class 2  100.0 % class 1  100.0 % class 0\n"


def test_what_a_net_gives_must_be_finite(tmp_path, capsys):
    path = write_data(tmp_path / "a.h5", "x", "y", "z")

    def engine(batch):
        return np.array([[np.nan if name == "y" else 1.0, 2.0] for name in batch.ids], np.float32)

    with pytest.raises(DataError, match=r"a\.h5: record 1 \(y\): the net gives values that are not finite; skip_bad"):
        inference.run(inference.Request(path), net(num_classes=2), engine)
    assert inference.run(inference.Request(path, skip_bad=True), net(num_classes=2), engine) == 1
    told = capsys.readouterr()
    assert [line.split()[0] for line in told.out.splitlines()] == ["x", "z"]
    assert "left out:" in told.err


def test_an_id_that_no_utf_8_has(tmp_path):
    for name in ("o.csv", "o.jsonl"):
        with predictions.Output(tmp_path / name, net()) as file:
            file.add(["a\udcff"], np.array([[1]]), np.array([[0.5]]))
    assert (tmp_path / "o.csv").read_text().endswith("a\\udcff,1 0.500000\n")
    assert json.loads((tmp_path / "o.jsonl").read_text())["video"] == "a\udcff"


def test_a_full_disk_is_one_line_and_nothing_is_left(
    tmp_path, capsys
):  # pytest keeps the bar's text in a file otherwise
    path = write_data(tmp_path / "a.h5", *map(str, range(900)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for lines in (20, 900):  # found at the end, and while writing
        short = write_data(tmp_path / "b.h5", *map(str, range(lines))) if lines < 900 else path
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            with pytest.raises(UserError, match=r"^output=.*o\.csv: cannot be written: File too large$"):
                predicted(short, output=tmp_path / "o.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert sorted(own.name for own in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_two_predictions_into_one_file_do_not_mix(tmp_path):
    (tmp_path / ".o.csv.tmp").write_text("of another program")
    predicted(write_data(tmp_path / "a.h5", "x"), output=tmp_path / "o.csv")
    assert (tmp_path / ".o.csv.tmp").read_text() == "of another program"


@pytest.mark.parametrize(
    "change",
    [{"num_classes": "3"}, {"seg_num": 0}, {"class_names": "abc"}, {"single_label": 1}, {"modalities": []}],
)
def test_a_description_of_wrong_types(tmp_path, change):
    net().write(tmp_path)
    assert description.read(tmp_path) == net()
    path = tmp_path / description.FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"net\.json: not readable; export the net again"):
        description.read(tmp_path)


def test_a_provider_that_is_not_used_is_told(tmp_path, monkeypatch):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info("lengths", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["lengths"], ["out"])], "g", [value], [other])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(tmp_path / "net.onnx"))
    engines.open_engine("onnxruntime", tmp_path, net())
    wanted = "CUDAExecutionProvider"  # that of a package for GPUs where their libraries are missing
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [wanted, "CPUExecutionProvider"])
    with (
        pytest.warns(UserWarning, match="not in available"),
        pytest.raises(UserError, match=f"^provider={wanted}: it cannot be used here"),
    ):
        engines.open_engine("onnxruntime", tmp_path, net(), wanted)


def test_a_terminal_shows_all_classes_where_there_is_no_file(tmp_path, capsys):
    path = write_data(tmp_path / "a.h5", "abc")
    table = predictions.table(["abc"], np.arange(3)[None], np.array([[1, 0.5, 0.25]]), net(), 42, whole=True)
    assert table.splitlines() == ["abc 100.0 % class 0   50.0 % class 1", "     25.0 % class 2"]
    predicted(path, logits=tuple(range(9)), net=net(num_classes=9), top_k=7)
    assert capsys.readouterr().out.count("class") == 7
    predicted(path, logits=tuple(range(9)), net=net(num_classes=9), top_k=7, output=tmp_path / "o.csv")
    assert capsys.readouterr().out.count("class") == predictions.SHOWN


def test_a_terminal_gets_no_control_characters(tmp_path, capsys):
    predicted(write_data(tmp_path / "a.h5", "x\x1b[2J"), net=net(class_names=["a", "\x1b]0;b", "c"]))
    told = capsys.readouterr()
    assert told.out == "x?[2J  88.1 % ?]0;b   50.0 % c   26.9 % a\n"


def test_a_folder_or_a_link_to_nothing_with_a_files_name(tmp_path):
    write_data(tmp_path / "a.h5", "x")
    (tmp_path / "b.h5").mkdir()
    (tmp_path / "c.h5").symlink_to(tmp_path / "none")
    found = videos.look(tmp_path)
    assert [path.name for path in found.features] == ["a.h5"]
    assert [path.name for path in found.passed_over] == ["b.h5", "c.h5"]


def test_extract_and_predict_find_the_same_videos(tmp_path):
    for name in ("b.mp4", "deep/a.avi", ".hidden.mp4", ".hidden/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"video")
    assert extract.videos_in(tmp_path) == videos.look(tmp_path).raw == [tmp_path / "b.mp4", tmp_path / "deep" / "a.avi"]


def test_sigterm_leaves_no_temporary_files(tmp_path):
    """Of a command in its work; the real signal."""
    program = (
        "import os, signal, tempfile\n"
        "from experiments import use\n"
        "def work(options, rest):\n"
        "    with tempfile.TemporaryDirectory():\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "use.COMMANDS['predict'] = work\n"
        "use.run('predict', {'weights': 1, 'input': 'x'})\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (143, "\nterminated\n")
    assert not list(tmp_path.iterdir())


def test_what_is_kept_of_a_video_is_no_view_of_its_batch(tmp_path):
    path = write_data(tmp_path / "a.h5", "x", "y")
    kept = []

    def engine(batch):
        return np.zeros((len(batch.ids), 3), np.float32)

    def explainer(batch):
        return [np.ones((len(batch.ids), 2, 1), np.float32)]

    inference.run(inference.Request(path), net(), engine, explainer, kept.append)
    arrays = [array for own in kept for array in (own.classes, own.probabilities, own.attention["rgb"].weights)]
    assert len(arrays) == 6
    assert all(array.base is None for array in arrays)


def test_values_outside_of_the_net_s_range_are_told_once(tmp_path, capsys):
    empty, counts = (np.zeros(0, np.int32), np.zeros(4, np.int64)), {"rgb": np.arange(4)}
    rgb = {"rgb": np.array([[-2.0, 2.0], [0.0, 2.5], [-9.0, 0.0]], np.float32)}
    hdf5.write(tmp_path / "a.h5", hdf5.Shard(rgb, counts, *empty, ["x", "y", "z"], 3, False))
    predicted(tmp_path / "a.h5")
    note = "2 videos with values outside of the range that the net takes, the first is y; they were cut to it\n"
    assert note in capsys.readouterr().err
    rgb = {"rgb": np.array([[0, 255], [0, 0], [9, 9]], np.uint8)}
    for limits, told in (((-2.0, 2.0), False), ((-1.0, 1.0), False), ((-4.0, 4.0), True)):
        hdf5.write(tmp_path / "b.h5", hdf5.Shard(rgb, counts, *empty, ["x", "y", "z"], 3, False, {"rgb": limits}))
        predicted(tmp_path / "b.h5")
        assert ("cut to it" in capsys.readouterr().err) is told
