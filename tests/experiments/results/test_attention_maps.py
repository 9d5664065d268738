import re
from pathlib import Path

import pytest

from experiments import ROOT
from experiments.reproduction.plan import Variant
from experiments.results import attention_maps

DATA = ROOT / "data"
CELL = "flash_mnist_table/shift_fc1/4"
pytestmark = pytest.mark.skipif(
    not (DATA / "flash_mnist" / "frame_cnn.params").exists() or not (DATA / "mnist").is_dir(),
    reason="no data/flash_mnist, or no data/mnist: run `python -m experiments prepare flash_mnist`",
)


@pytest.fixture
def log(make_log, tmp_path):
    return make_log(tmp_path, DATA)


def parameters(log, cell, seed: int = 0) -> None:
    """A run of ``cell`` with parameters as they are before training."""
    import mxnet as mx

    from gluon_models import zoo

    folder = log.add(cell, seed).folder / "checkpoints" / "last"
    folder.mkdir(parents=True)
    mx.random.seed(0)
    names = ("cluster_nums", "attention", "shifting", "hidden_units", "dropout", "dropout_mode")
    arguments = {name: cell.numbers[name] for name in names}
    net = zoo.create("attention_cluster", feature_dims={"image": 50}, num_classes=1024, **arguments)
    net.initialize()
    net.save_parameters(str(folder / "net.params"))


def figure(log) -> str:
    return attention_maps.figure(log.sections(Variant())["flash_mnist_table"])


def other_data(folder: Path) -> Path:
    """Flash-MNIST's files under another root, to be changed there."""
    (folder / "flash_mnist").mkdir(parents=True)
    for path in (DATA / "flash_mnist").iterdir():
        (folder / "flash_mnist" / path.name).symlink_to(path)
    (folder / "mnist").symlink_to(DATA / "mnist")
    return folder


def test_three_videos_of_the_run_with_most_nearly_eight_units(log, cell_of):
    for name in ("flash_mnist_table/shift_fc1/32", CELL, "flash_mnist_table/no_shift_fc1/8"):
        parameters(log, cell_of(name))
    log.add(cell_of("flash_mnist_table/shift_fc1/8"))  # its parameters are gone
    drawn = figure(log)
    titles = re.findall(r"<title[^>]*>([^<]*)</title>", drawn)
    assert [len(re.search(r"has digits ([\d, ]+);", own)[1].split(", ")) for own in titles] == [2, 4, 6]
    assert all(own.startswith("test-00") for own in titles)
    assert drawn.count("data:image/png;base64,") >= 6  # pictures and weights of each
    assert "each of the 4 units" in drawn
    assert 'href="#run-2"' in drawn


def test_without_parameters_a_line_says_so(log, cell_of):
    log.add(cell_of(CELL))
    assert re.fullmatch(
        r"<p>No pictures of attention: run 1: its parameters .*net.params are not there</p>", figure(log)
    )


def test_damaged_parameters(log, cell_of):
    parameters(log, cell_of(CELL))
    (log.runs_dir / "1/checkpoints/last/net.params").write_bytes(b"cut")
    assert re.fullmatch(r"<p>No pictures of attention: .*net.params: not a file of Gluon parameters.*</p>", figure(log))


def test_pictures_that_are_not_the_features_are_not_shown(make_log, tmp_path, cell_of):
    from gluon_models.frame_cnn import FrameCNN

    log = make_log(tmp_path, other_data(tmp_path / "data"))
    parameters(log, cell_of(CELL))
    network_file = log.data_root / "flash_mnist" / "frame_cnn.params"
    network_file.unlink()
    assert "frame_cnn.params: missing" in figure(log)
    net = FrameCNN()
    net.initialize()
    net.save_parameters(str(network_file))
    drawn = figure(log)
    assert "its features are not of the frames that its seed gives" in drawn
    assert "<svg" not in drawn


def test_without_mnist_a_line_says_so(make_log, tmp_path, cell_of, monkeypatch):
    monkeypatch.setenv("MNIST_DIR", str(tmp_path / "empty"))
    log = make_log(tmp_path, DATA)
    parameters(log, cell_of(CELL))
    # Flash-MNIST's images are kept for each folder, so that an earlier test's are not found here.
    assert "t10k-images-idx3-ubyte: missing" in figure(log)


def test_other_data_have_none(log, cell_of):
    log.add(cell_of("flash_mnist_table/average/8"))
    assert figure(log) == ""
    standardised = cell_of("flash_mnist_standardised/shift_fc1/16")
    log.add(standardised)
    assert attention_maps.figure(log.sections(Variant())["flash_mnist_standardised"]) == ""
