"""`python -m gluon_models.paddle FILE OUT`."""

import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from gluon_models.paddle import main, net_of

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error::RuntimeWarning", "-m", "gluon_models.paddle"]


@pytest.fixture
def paddle(golden):
    return golden("ac_small")


@pytest.fixture
def file(paddle, tmp_path):
    """As Paddle writes it."""
    path = tmp_path / "net.pdparams"
    path.write_bytes(pickle.dumps(weights_of(paddle), protocol=2))
    return path


def weights_of(paddle):
    return {name[2:]: values for name, values in paddle.items() if name.startswith("w/")}


@pytest.mark.parametrize("mode", ["upscale_in_train", "downgrade_in_infer"])
def test_it_converts_a_file(paddle, file, tmp_path, mode):
    out = tmp_path / "net.params"
    run = subprocess.run(
        [*COMMAND, str(file), str(out), "--dropout-mode", mode], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "AttentionCluster of 4,898 parameters" in run.stdout
    assert f"for dropout 0.5, dropout_mode {mode}" in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.params", "net.pdparams"]
    zeros = {name: values * 0 for name, values in weights_of(paddle).items()}
    net = net_of(zeros, ["rgb", "audio"], dropout_mode=mode)
    net.load_parameters(str(out))
    logits = net([mx.nd.array(paddle["rgb"]), mx.nd.array(paddle["audio"])]).asnumpy()
    np.testing.assert_allclose(logits, paddle["eval_drop05_logit"], atol=1e-5)


def refusal(capsys, tmp_path, *arguments):
    """The one line that the command says when it refuses; nothing is left behind."""
    before = sorted(tmp_path.rglob("*"))
    assert main([str(argument) for argument in arguments]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    return output.err


def test_what_cannot_be_read(tmp_path, capsys):
    (tmp_path / "junk").write_bytes(b"junk")
    assert "junk cannot be read" in refusal(capsys, tmp_path, tmp_path / "junk", tmp_path / "net.params")


def test_out_must_be_an_ordinary_file_in_a_folder(file, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.params"
    link.symlink_to(tmp_path / "pipe")
    assert "OUT is empty" in refusal(capsys, tmp_path, file, "")
    for out in (tmp_path / "pipe", link, tmp_path / "folder"):
        assert f"{out} is there and is no ordinary file" in refusal(capsys, tmp_path, file, out)
    assert (tmp_path / "pipe").is_fifo()
    none = tmp_path / "none" / "net.params"
    assert f"{none}: there is no folder {none.parent}" in refusal(capsys, tmp_path, file, none)
    assert "no folder" in refusal(capsys, tmp_path, file, file / "net.params")
    assert "File name too long" in refusal(capsys, tmp_path, file, tmp_path / ("x" * 300))


def test_the_source_is_not_overwritten(file, tmp_path, capsys):
    before = file.read_bytes()
    (tmp_path / "link").symlink_to(file)
    for out in (file, tmp_path / "link"):
        assert f"{out} is FILE itself" in refusal(capsys, tmp_path, file, out)
    assert file.read_bytes() == before


@pytest.mark.parametrize("room", [10, 20_500])  # bytes; the whole file has 20,518
def test_a_full_disk_leaves_what_was_there(file, tmp_path, room):
    """MXNet itself says nothing where only the last bytes of a file are lost."""
    out = tmp_path / "net.params"
    out.write_bytes(b"of yesterday")
    run = subprocess.run(
        [*COMMAND, str(file), str(out)], cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr == f"{out} cannot be written as a whole; is the disk full?\n"
    assert out.read_bytes() == b"of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.params", "net.pdparams"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--modalities", "rgb,rgb"], "the modalities are named 'rgb,rgb'; each needs a name of its own"),
        (["--modalities", "rgb,"], "the modalities are named 'rgb,'"),
        (["--modalities", "rgb"], "the weights have 2 modalities, but 1 are named"),
        (["--dropout", "1"], "dropout is 1.0"),
        (["--dropout", "nan"], "dropout is nan"),
    ],
)
def test_options_that_do_not_fit(file, tmp_path, capsys, options, message):
    assert message in refusal(capsys, tmp_path, file, tmp_path / "net.params", *options)
