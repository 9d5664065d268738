"""``predict ... explain=true``: small nets, real ones, over data files and over video files."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest

from datasets import hdf5, sequence_example, tfrecord
from datasets.errors import DataError
from datasets.layout import YOUTUBE8M_RANGE
from datasets.record import Record
from experiments import attention_pictures, configuration, registry, use
from experiments.errors import UserError
from experiments.extraction import Extraction, Extractor
from experiments.inference import batches, videos
from experiments.inference.attention import Attention, Explained
from experiments.inference.description import Description, Modality
from experiments.trained import Trained
from gluon_models import zoo
from gluon_models.video_model import VideoModel

ROOT = Path(__file__).parents[2]
CLIPS = ROOT.parent / "shared" / "data" / "videos"
SETTINGS = Extraction(backbone="mobilenet0.25", pretrained=False, size=32, audio=True)
COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (30, 30, 240), "yellow": (230, 220, 20),
           "cyan": (20, 220, 220), "pink": (240, 90, 200), "grey": (90, 90, 90), "brown": (120, 70, 20)}  # fmt: skip
MODELS = {
    "attention_cluster": {"cluster_nums": [3, 2], "hidden_units": [], "shifting": False, "dropout": 0.0},
    "attention_lstm": {"embedding_size": 4, "lstm_size": 3, "hidden_units": [5]},
}


def make_net(make_run, folder, model, dims, ranges, classes=4, seg_num=None, extraction=None):
    """A run with random parameters; the net."""
    experiment = f"{model}_youtube8m"
    config = configuration.resolve({"experiment": experiment})
    config = {**config, **MODELS[model], "seg_num": seg_num, "weights": None}
    arguments, _, _ = registry.split(configuration.numbers_of(config))
    mx.random.seed(3)
    net = zoo.create(model, feature_dims=dims, num_classes=classes, **arguments)
    net.initialize(mx.init.Normal(0.7))
    data = {"classes": classes, "feature_dims": dims, "ranges": ranges}
    data = {**data, "extraction": extraction} if extraction else data
    journal = make_run(folder, config=config, sources=(), alive=False)
    journal.write("state", {**journal.read("state"), "info": {"data": {config["train_split"]: data}}})
    path = journal.folder / "checkpoints" / "last" / "net.params"
    path.parent.mkdir(parents=True)
    net.save_parameters(str(path))
    return net


def predict(folder, **options):
    use.run("predict", {"weights": 1, "runtime": {"runs_dir": str(folder)}, **options})


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_data(path, counts, limits):
    """Videos of so many frames of rgb bytes and of audio floats; their features."""
    rng = np.random.default_rng(1)
    rgb = [rng.integers(0, 256, (count, 6), dtype=np.uint8) for count, _ in counts]
    audio = [rng.normal(size=(count, 3)).astype(np.float32) for _, count in counts]
    shard = hdf5.Shard(
        features={"rgb": np.concatenate(rgb), "audio": np.concatenate(audio)},
        offsets={"rgb": np.cumsum([0, *map(len, rgb)]), "audio": np.cumsum([0, *map(len, audio)])},
        labels=np.zeros(0, np.int32),
        label_offsets=np.zeros(len(counts) + 1, np.int64),
        ids=[f"video{number}" for number in range(len(counts))],
        num_classes=4,
        single_label=False,
        ranges={"rgb": limits},
    )
    hdf5.write(path, shard)
    low, high = limits
    return [(own * ((high - low) / 255) + low).astype(np.float32) for own in rgb], audio


@pytest.mark.parametrize(("model", "seg_num"), [("attention_cluster", 4), ("attention_lstm", None)])
def test_the_weights_are_those_that_the_prediction_was_made_by(make_run, tmp_path, capsys, model, seg_num):
    """Put back into the net, frames and weights of the JSON lines give the probabilities beside them."""
    counts = [(9, 5), (3, 0), (1, 7), (12, 12)]
    features = write_data(tmp_path / "data" / "a.h5", counts, YOUTUBE8M_RANGE)
    net = make_net(make_run, tmp_path / "runs", model, {"rgb": 6, "audio": 3}, {"rgb": YOUTUBE8M_RANGE}, 4, seg_num)
    found = {}
    for batch_size in (1, 3):
        output = tmp_path / f"{batch_size}.jsonl"
        own = {"input": str(tmp_path / "data"), "output": str(output), "batch_size": batch_size, "explain": "true"}
        predict(tmp_path / "runs", **own)
        found[batch_size] = lines(output)
    capsys.readouterr()
    predict(tmp_path / "runs", input=str(tmp_path / "data"), explain=True)
    told = capsys.readouterr().out.splitlines()
    assert [line[:7].strip() for line in told] == [word for name in range(4) for word in (f"video{name}", "looke")]
    assert [own["video"] for own in found[3]] == ["video0", "video1", "video2", "video3"]
    for row, (one, own) in enumerate(zip(found[1], found[3], strict=True)):
        assert list(own["attention"]) == ["rgb", "audio"]
        parts = []
        for place, (name, entry) in enumerate(own["attention"].items()):
            count = counts[row][place]
            frames = np.arange(count) if seg_num is None or not count else (np.arange(4) + 0.5) * count // 4
            assert entry["frames"] == frames.astype(int).tolist()
            assert entry["seconds"] == (entry["frames"] if name == "rgb" or not count else None)
            units = np.array(entry["units"])  # (units, n)
            np.testing.assert_allclose(units, one["attention"][name]["units"], atol=1e-6)
            np.testing.assert_allclose(units.sum(axis=-1), 1 if count else 0, atol=1e-5)
            parts.append(summed(net, place, features[place][row][entry["frames"]], units))
        logits = net.classifier(net.hidden(mx.nd.array(np.concatenate(parts))[None])).asnumpy()[0]  # (4,)
        told = {pair["class"]: pair["probability"] for pair in own["predictions"]}
        expected = 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose([told[number] for number in range(4)], expected, atol=2e-5)


def both_directions(encoder, frames):
    """The LSTM's outputs, (n, 2 H), in the order of the frames."""
    forwards, backwards = encoder.attend(mx.nd, mx.nd.array(frames)[None], None)[0]  # (1, n, H) each
    return np.concatenate([forwards.asnumpy()[0], backwards.asnumpy()[0, ::-1]], axis=1)


def summed(net, place, frames, units):
    """What the classifier gets of a modality: the sums of its frames, or of the LSTM's outputs, by these weights."""
    if isinstance(net, zoo.find("attention_cluster")):
        width = np.prod(net.clusters[place].attention.score.weight.shape)
    else:
        width = 2 * MODELS["attention_lstm"]["lstm_size"]
        if len(frames):
            frames = both_directions(net.encoders[place], frames)  # (n, 2 H)
    return (units @ frames).ravel() if len(frames) else np.zeros(width)


def test_frames_a_second_are_what_is_known_of_the_source(tmp_path):
    write_data(tmp_path / "real" / "a.h5", [(2, 2)], YOUTUBE8M_RANGE)
    write_data(tmp_path / "own" / "a.h5", [(2, 2)], (0.0, 1.0))
    record = Record("a", np.array([1]), {"rgb": np.zeros((2, 6), np.uint8)})
    tfrecord.write(tmp_path / "own" / "a.tfrecord", [sequence_example.serialize(record)])
    data_file = tmp_path / "own" / "a.h5"
    assert videos.rates_of(data_file, None) == {}
    assert videos.rates_of(data_file, {"frames_per_second": 4.0}) == {"rgb": 4.0, "audio": 1.0}
    assert videos.rates_of(tmp_path / "real" / "a.h5", None)["rgb"] == 1.0
    assert videos.rates_of(tmp_path / "own" / "a.tfrecord", None)["audio"] == 1.0
    (tmp_path / "own" / "extraction.json").write_text('{"frames_per_second": 2.5}')
    assert videos.rates_of(data_file, {"frames_per_second": 4.0})["rgb"] == 2.5
    (tmp_path / "own" / "extraction.json").write_text("[]")
    with pytest.raises(DataError, match=r"extraction\.json: not a record of an extraction"):
        videos.rates_of(data_file, None)


def test_mistakes_are_told_before_anything_is_computed(tmp_path):
    with pytest.raises(UserError, match=r"labels\.csv: a CSV has no room for what explain adds; take output=FILE\.jso"):
        predict(tmp_path, input="none", output="labels.csv", explain=True)  # and there is no run 1
    Description([Modality("rgb", 2)], 3, False, None, [], {}, {}).write(tmp_path)
    with pytest.raises(UserError, match=r"explain needs a run's weights; the net exported to"):
        use.run("predict", {"weights": str(tmp_path), "input": "none", "explain": True})
    with pytest.raises(UserError, match="explain='maybe' is not True or False"):
        predict(tmp_path, input="none", explain="maybe")
    other = Trained(VideoModel(["rgb"]), Description([Modality("rgb", 2)], 3, False, None, [], {"name": "mine"}, {}))
    with pytest.raises(UserError, match="explain: the model mine has no attention; leave explain out"):
        other.explainer()


def write_clip(path, names, size=(160, 120), rate=10):
    """A clip that shows each colour for a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    for name in names:
        for _ in range(rate):
            writer.write(np.full((size[1], size[0], 3), COLOURS[name][::-1], np.uint8))
    writer.release()
    return path


def colours_in(path):
    """The colours of frames that a picture shows, by name: of which it has enough points."""
    picture = cv2.imread(str(path))[:, :, ::-1].astype(int)  # (h, w, 3)
    return {name for name, own in COLOURS.items() if (np.abs(picture - own).max(axis=2) < 12).sum() > 5000}


@pytest.fixture
def raw_net(make_run, tmp_path):
    dims = {"rgb": 256, "audio": 128}
    recorded = Extractor(SETTINGS).description()
    return make_net(make_run, tmp_path / "runs", "attention_cluster", dims, {}, extraction=recorded)


def test_a_picture_of_each_raw_video(raw_net, tmp_path):
    """Of two that have the same name each has its own, with the frames that weigh most."""
    names = list(COLOURS)
    write_clip(tmp_path / "clips" / "other" / "same.mp4", ["red", "green", "blue"])
    write_clip(tmp_path / "clips" / "same.mp4", names)
    words = ["weights=1", f"runtime.runs_dir={tmp_path}/runs", f"input={tmp_path}/clips", "explain=true"]
    command = [sys.executable, "experiments/run.py", "predict", "with", *words, f"output={tmp_path}/labels.jsonl"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "labels.attention"
    assert f"2 pictures in {folder}" in done.stdout
    assert len(re.findall(r"^  looked at: rgb 0:0\d \d+ %", done.stdout, re.MULTILINE)) == 2
    found = {own["video"]: own["attention"] for own in lines(tmp_path / "labels.jsonl")}
    assert list(found) == ["same", "same-2"]
    assert found["same"]["rgb"]["seconds"] == [0, 1, 2]
    assert found["same"]["audio"] == {"frames": [], "seconds": [], "units": []}
    assert colours_in(folder / "same.png") == {"red", "green", "blue"}
    mean = np.mean(found["same-2"]["rgb"]["units"], axis=0)  # (8,)
    assert colours_in(folder / "same-2.png") == {names[second] for second in np.argsort(-mean)[:6]}
    assert sorted(path.name for path in folder.iterdir()) == ["same-2.png", "same.png"]


def test_interrupted_at_the_pictures_the_predictions_stay(raw_net, tmp_path):
    for number in range(4):
        write_clip(tmp_path / "clips" / f"{number}.mp4", ["red"])
    words = ["weights=1", f"runtime.runs_dir={tmp_path}/runs", f"input={tmp_path}/clips", "explain=true"]
    command = [sys.executable, "experiments/run.py", "predict", "with", *words, f"output={tmp_path}/labels.jsonl"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 100
        while not list(tmp_path.glob("labels.attention/*.png")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(rf"\ninterrupted; the predictions are in {tmp_path}/labels\.jsonl, \d pictures in ", told)
    assert "Traceback" not in told
    assert len(lines(tmp_path / "labels.jsonl")) == 4
    assert {path.suffix for path in (tmp_path / "labels.attention").iterdir()} == {".png"}


def test_a_real_video_with_sound(raw_net, tmp_path, capsys):
    video = CLIPS / "bigbuckbunny.mp4"
    if not video.is_file():
        pytest.skip(f"no {video}")
    predict(tmp_path / "runs", input=str(video), output=f"{tmp_path}/labels.jsonl", explain=True)
    (own,) = lines(tmp_path / "labels.jsonl")
    assert [len(entry["frames"]) for entry in own["attention"].values()] == [6, 5]
    assert [len(entry["units"]) for entry in own["attention"].values()] == [3, 2]
    assert cv2.imread(f"{tmp_path}/labels.attention/bigbuckbunny.png").shape[1] == 1320
    assert re.search(r"  looked at: rgb 0:0\d .*; audio 0:0\d ", capsys.readouterr().out)


def explained(name, weights, frames=None, rate=1.0):
    weights = np.atleast_2d(np.array(weights, np.float32))
    attention = Attention(np.arange(weights.shape[1]) if frames is None else frames, weights, rate)
    return Explained(name, np.array([2, 0]), np.array([0.75, 0.2]), {"rgb": attention})


def test_pictures_of_odd_videos(tmp_path, capsys):
    """A name that is no name of a file, frames that are not there any more, and a video that is not."""
    clip = write_clip(tmp_path / "clip.mp4", ["red", "green"])
    long = "ö" * 127
    given = [
        explained(long, [[1.0]]),
        explained("$x^$", [[0.2, 0.3, 0.5]], np.array([0, 1, 9])),
        explained("gone", [[1.0]]),
    ]
    originals = {long: clip, "$x^$": clip, "gone": tmp_path / "gone.mp4"}
    net = Description([Modality("rgb", 2)], 3, False, None, ["a", "b", "$c" * 40], {}, {})
    attention_pictures.write(given, originals, net, tmp_path / "labels.jsonl")
    told = capsys.readouterr()
    folder = tmp_path / "labels.attention"
    assert told.out == f"2 pictures in {folder}\n"
    assert f"no picture: {tmp_path}/gone.mp4: no such file" in told.err
    assert colours_in(folder / "$x^$.png") == {"red", "green"}
    assert len(list(folder.iterdir())) == 2
    (tmp_path / "other.attention").write_text("a file")
    with pytest.raises(UserError, match=r"other\.attention: cannot be written: .*; the predictions are in"):
        attention_pictures.write(given, originals, net, tmp_path / "other.jsonl")


def test_frames_between_two_seconds_and_all_alike(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", list(COLOURS))
    numbers = batches.frames_seen(16, 5)  # of two a second
    weights = [0.1, 0.1, 0.1, 0.1, 0.6]
    net = Description([Modality("rgb", 2)], 3, False, None, [], {}, {})
    alike = explained("alike", np.full((1, 16), 1 / 16), rate=2.0)
    given = [explained("sampled", [weights], numbers, 2.0), alike]
    attention_pictures.write(given, {"sampled": clip, "alike": clip}, net, tmp_path / "labels.jsonl")
    names = list(COLOURS)
    assert numbers.tolist() == [1, 4, 8, 11, 14]
    assert colours_in(tmp_path / "labels.attention" / "sampled.png") == {names[number // 2] for number in numbers}
    shown = colours_in(tmp_path / "labels.attention" / "alike.png")
    assert shown == {names[number // 2] for number in (0, 3, 6, 9, 12, 15)}
