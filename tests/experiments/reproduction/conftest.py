from dataclasses import replace
from pathlib import Path

import pytest

from datasets import synthetic
from experiments import ROOT, data, journal, registry
from experiments.configuration import REQUEST, RUNTIME
from experiments.prepare import SHAPES
from experiments.reproduction import model_code
from experiments.reproduction.cell_runs import RunsOfCells


@pytest.fixture
def entries(tmp_path, monkeypatch) -> Path:
    """A registry of the test's own: copies of ours, which it may change."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for path in registry.FOLDER.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    monkeypatch.setattr(registry, "FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """Flash-MNIST's shape in a few synthetic videos."""
    folder = tmp_path_factory.mktemp("data")
    for split, videos in (("train", 640), ("test", 64)):
        synthetic.write_split(folder / "flash_mnist", SHAPES["flash_mnist"], split, videos, seed=0)
    return folder


@pytest.fixture
def runs(tmp_path, data_root) -> RunsOfCells:
    return RunsOfCells(tmp_path / "runs", str(data_root))


@pytest.fixture
def run_of(make_run, tmp_path, data_root):
    """Makes the folder of a run of a cell, which ended as it is told."""

    def make(cell, scores=(0.5,), seed=0, status=journal.COMPLETED, **changes):
        config = {"experiment": cell.entry.name, **cell.numbers, **REQUEST, "seed": seed, "runtime": RUNTIME, **changes}
        splits = {
            split: data.notes_of(data.open_split({**config, "runtime": {"data_root": str(data_root)}}, split))
            for split in ("train", "test")
        }
        curves = {"validate.hit_at_1": scores, "train.videos_per_second": [64.0] * len(scores)}
        own = make_run(tmp_path / "runs", config, curves, status=status, info={"data": splits})
        names = [*model_code.sources(cell.numbers["model"]), "gluon_models/losses.py", "gluon_models/torch_defaults.py"]
        sources = [[name, own.keep(ROOT / name)] for name in names]
        own.write("run", {**own.read("run"), "sources": sources})
        own.write("config", {key: config[key] for key in config})  # without what the fixture adds
        return own

    return make


@pytest.fixture
def cell():
    """A cell of the table by its column and row."""

    def find(column, row, **changes):
        found = registry.cells(registry.load("flash_mnist_table"))
        return replace(next(own for own in found if (own.column, own.row) == (column, row)), **changes)

    return find
