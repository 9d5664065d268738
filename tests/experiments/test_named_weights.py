"""Weights by name: fetched from a server here, checked, kept."""

import functools
import hashlib
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from experiments import configuration, named_weights, registry
from experiments.errors import UserError
from experiments.named_weights import NamedWeights

CONTENT = b"parameters" * 1000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An entry whose file is on a server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "a.params").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "server")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/a.params"
        yield NamedWeights("mine", "attention_cluster_youtube8m", address, hashlib.sha256(CONTENT).hexdigest(), "me")
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_once_and_checked_each_time(weights, tmp_path):
    path = named_weights.fetch(weights, tmp_path / "models", allow_unverified=False)
    assert path.read_bytes() == CONTENT
    (tmp_path / "server" / "a.params").unlink()
    assert named_weights.fetch(weights, tmp_path / "models", allow_unverified=False) == path
    path.write_bytes(b"another")
    with pytest.raises(UserError, match=r"mine\.params: its SHA-256 is .*remove the file"):
        named_weights.fetch(weights, tmp_path / "models", allow_unverified=False)


def test_a_wrong_file_is_never_put_in_place(weights, tmp_path):
    with pytest.raises(UserError, match="its SHA-256 is"):
        named_weights.fetch(replace(weights, sha256="0" * 64), tmp_path / "models", allow_unverified=True)
    assert list((tmp_path / "models").iterdir()) == []
    (tmp_path / "models" / "mine.params.unchecked.part").write_bytes(b"of another file")
    named_weights.fetch(weights, tmp_path / "models", allow_unverified=False)  # it is fetched anew, from its start
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine.params"]


def test_a_folder_that_cannot_be_written_is_one_line_at_once(weights, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^runtime\.model_dir=.*file/models: cannot be written \(.*\)$"):
        named_weights.fetch(weights, tmp_path / "file" / "models", allow_unverified=False)


def test_a_files_name_is_of_the_name_and_the_path_of_the_address(weights):
    assert replace(weights, address="https://host/x.pdparams?token=a.b").file == "mine.pdparams"


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a b"])
def test_a_name_is_no_path(tmp_path, name):
    path = tmp_path / "list.yaml"
    path.write_text(f"'{name}': {{experiment: e, address: 'https://h/x', sha256: null, source: s}}")
    with pytest.raises(UserError, match=r"^list\.yaml: '.*' is no name"):
        named_weights.listed(path)


def test_what_nobody_checked_is_taken_only_when_told_so(weights, tmp_path, capsys):
    unknown = replace(weights, sha256=None)
    with pytest.raises(UserError, match=r"^weights=mine: nobody has checked http.*allow_unverified=True$"):
        named_weights.fetch(unknown, tmp_path / "models", allow_unverified=False)
    named_weights.fetch(unknown, tmp_path / "models", allow_unverified=True)
    assert f"is not checked; its SHA-256 is {weights.sha256}" in capsys.readouterr().out


def test_the_list_names_experiments_that_there_are():
    for name, own in named_weights.listed().items():
        assert own.experiment in registry.names()
        assert own.address.startswith("https://")
        assert configuration.resolve({"weights": name})["experiment"] == own.experiment
