import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from datasets import synthetic
from experiments import ROOT, prepare
from experiments.configuration import REQUEST, RUNTIME
from experiments.journal import COMPLETED, Journal
from experiments.registry import Cell
from experiments.reproduction import model_code
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.plan import Variant
from experiments.results import html_page
from experiments.results.tables import Section, sections


class Log:
    """A log of made-up runs over the registry's own experiments; data of Flash-MNIST's shape lie beside it."""

    def __init__(self, folder: Path, data_root: Path | None = None):
        self.runs_dir = folder / "runs"
        self.data_root = data_root or folder / "data"
        if data_root is None:
            for split in ("train", "test"):
                synthetic.write_split(self.data_root / "flash_mnist", prepare.FLASH_MNIST, split, 8, seed=0)

    def add(self, cell: Cell, seed: int = 0, score: float = 0.5, steps: int = 10, host: str = "here") -> Journal:
        """A run of ``cell`` that has ended, with ``steps`` an epoch."""
        own = Journal.create(self.runs_dir, None)
        runtime = {**RUNTIME, "data_root": str(self.data_root), "runs_dir": str(self.runs_dir)}
        config = {"experiment": cell.entry.name, **cell.numbers, **REQUEST, "seed": seed, "runtime": runtime}
        own.write("config", config)
        names = [*model_code.sources(cell.numbers["model"]), "gluon_models/losses.py", "gluon_models/torch_defaults.py"]
        sources = [[name, own.keep(ROOT / name)] for name in names]
        own.write(
            "run",
            {
                "id": own.run_id,
                "command": "train",
                "start_time": "2026-03-01T10:00:00.5",
                "sources": sources,
                "host": {"hostname": host, "processor": "a processor", "cores": 2, "memory_bytes": 2**34},
                "git": {"commit": "abcdef0123456789", "dirty": True},
            },
        )
        own.write("state", {"status": COMPLETED, "wall_seconds": 3720.0, "info": {}})
        for epoch in range(1, cell.numbers["epochs"] + 1):
            own.metric("train.loss", 7.0 / epoch, epoch * steps)
            own.metric(f"validate.{cell.numbers['select_by']}", score * epoch / cell.numbers["epochs"], epoch * steps)
        own.close()
        return own

    def runs(self) -> RunsOfCells:
        found = RunsOfCells(self.runs_dir, str(self.data_root))
        found.refresh()
        return found

    def sections(self, variant: Variant) -> dict[str, Section]:
        return {own.entry.name: own for own in sections(variant.cells(), self.runs())}

    def page(self, variant: Variant) -> str:
        return html_page.page(variant, list(self.sections(variant).values()), self.runs())


class Page(HTMLParser):
    """What a page has: ``ids``, ``links`` and the text of every cell of its tables, by their captions."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._text = ""
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "xlink:href", "src") if name in given]
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        if tag in ("caption", "td", "th"):
            self._text = ""
        elif tag == "small":
            self._text += " "

    def handle_data(self, data):
        self._text += data

    def handle_endtag(self, tag):
        if tag == "caption":
            self.tables.setdefault(re.sub(r"\s+", " ", self._text), self._rows)
        elif tag in ("td", "th"):
            self._rows[-1].append(self._text.strip())


@pytest.fixture(scope="session")
def make_log() -> type[Log]:
    return Log


@pytest.fixture(scope="session")
def read_page() -> type[Page]:
    return Page


@pytest.fixture(scope="session")
def cell_of() -> Callable[..., Cell]:
    """A cell of a version of the tables, by its name."""
    return lambda name, variant=Variant(): next(own for own in variant.cells() if own.name == name)  # noqa: B008


@pytest.fixture(scope="session")
def log(tmp_path_factory, cell_of) -> Log:
    """Four cells of the paper's table, one of them with three seeds."""
    own = Log(tmp_path_factory.mktemp("log"))
    own.add(cell_of("flash_mnist_table/average/1"), score=0.0123)
    own.add(cell_of("flash_mnist_table/shift_fc1/1"), score=0.5)
    for seed, score in enumerate(np.array([0.860, 0.862, 0.864])):
        own.add(cell_of("flash_mnist_table/shift_fc1/16"), seed, float(score))
    own.add(cell_of("flash_mnist_table/no_shift_fc1/8"), score=0.9, host="<b>there</b>")
    return own
