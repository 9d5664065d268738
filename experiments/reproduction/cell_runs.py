"""Which runs of the log are runs of a cell: the same numbers, the same code of the model, the same data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets.errors import DataError
from experiments import configuration, data, journal
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.plain import plain
from experiments.registry import Cell
from experiments.reproduction import model_code

ALIVE = "ALIVE"  # a process holds it, be it ours or not


@dataclass(frozen=True)
class CellRun:
    """One run of a cell.

    Attributes:
        journal: the run's own folder.
        status: ``ALIVE``, or the journal's word for how it ended.
        config: what it was run with.
        state: the journal's ``state.json``.
    """

    journal: Journal
    status: str
    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def run_id(self) -> int | str:
        """Its number."""
        return self.journal.run_id

    @property
    def seed(self) -> int:
        """What its randomness came from."""
        return self.config["seed"]

    @property
    def is_complete(self) -> bool:
        """Whether all epochs were made, and judged."""
        return self.status == journal.COMPLETED and self.final(self.config["select_by"]) is not None

    @cached_property
    def curves(self) -> dict[str, dict[int, float]]:
        """Every metric's values by step."""
        return self.journal.curves()

    def final(self, metric: str) -> float | None:
        """The last value of ``validate.METRIC``."""
        curve = self.curves.get(f"validate.{metric}", {})
        return curve[max(curve)] if curve else None

    @property
    def epochs(self) -> int:
        """Whole epochs that were made."""
        return len(self.curves.get("train.videos_per_second", {}))

    @property
    def seconds_per_epoch(self) -> float | None:
        """Of training, the middle one of all epochs; None before the first has ended."""
        speeds = sorted(self.curves.get("train.videos_per_second", {}).values())
        videos = self.state.get("info", {}).get("data", {}).get(self.config["train_split"], {}).get("videos")
        return videos / speeds[len(speeds) // 2] if speeds and videos else None


class RunsOfCells:
    """The log, seen from the cells.

    Args:
        runs_dir: where runs lie.
        data_root: where data lie.
    """

    def __init__(self, runs_dir: Path, data_root: str):
        self.runs_dir = runs_dir
        self._data_root = data_root
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._missing: dict[tuple[str, str, str], str | None] = {}  # by dataset and splits, why they cannot be used
        self._known: dict[Path, tuple[int, CellRun | None]] = {}  # by folder: when its state was written, what it is
        self._objections: dict[Path, str] = {}  # by folder, why code or data are not those of today
        self._runs: dict[str, list[CellRun]] = {}  # by the numbers that they have

    def refresh(self) -> None:
        """Read what has changed in the log."""
        self._runs = {}
        for own in journal.journals(self.runs_dir):
            if (found := self._read(own)) is not None:
                self._runs.setdefault(key_of(configuration.numbers_of(found.config)), []).append(found)

    def of(self, cell: Cell, seed: int | None = None) -> list[CellRun]:
        """All runs of ``cell``, the oldest first; of one ``seed``, or of any."""
        same = self._runs.get(key_of(cell.numbers), [])
        return [own for own in same if (seed is None or own.seed == seed) and not self._objection(own)]

    def stale(self, cell: Cell) -> list[str]:
        """A line for each complete run of the cell's numbers that does not count: which, and why."""
        same = self._runs.get(key_of(cell.numbers), [])
        return [f"run {own.run_id}: {self._objection(own)}" for own in same if own.is_complete and self._objection(own)]

    def missing_data(self, cell: Cell) -> str | None:
        """Why the data of ``cell`` cannot be used, and what to do; None if they can."""
        splits = (cell.numbers["train_split"], cell.numbers["valid_split"])
        key = (cell.numbers["dataset"], *splits)
        if (
            key not in self._missing
        ):  # asked for every cell every few seconds, and a dataset may have thousands of files
            self._missing[key] = None
            try:
                for split in splits:
                    self._fingerprint(cell.numbers, split)
            except (UserError, DataError) as error:
                self._missing[key] = str(error)
        return self._missing[key]

    def _read(self, own: Journal) -> CellRun | None:
        """``own`` as a run of a cell; None if it is no whole training from the start, or damaged."""
        try:
            written = (own.folder / "state.json").stat().st_mtime_ns
            known = self._known.get(own.folder)
            if known and known[0] == written and (known[1] is None or known[1].status not in (ALIVE, journal.DIED)):
                return known[1]
            run, config, state = own.read("run"), own.read("config"), own.read("state")
            is_training = run.get("command") == "train" and "runtime" in config
            is_whole = is_training and not config.get("smoke") and config.get("weights") is None
            found = CellRun(own, _status(own, state), config, state) if is_whole else None
        except (OSError, AttributeError):  # it was deleted in this moment, is another user's, or holds no mapping
            return None
        self._known[own.folder] = written, found
        return found

    def _objection(self, own: CellRun) -> str:
        """Why a run of a cell's numbers does not count; empty if it does."""
        folder = own.journal.folder
        if folder not in self._objections:
            changed = model_code.changed(own.journal, own.config["model"], own.config["initializer"])
            reason = f"{', '.join(changed)} changed" if changed else ""
            if not own.state.get("info", {}).get("data"):
                return reason  # it has not said yet what its data are
            if not reason and not self._has_same_data(own):
                reason = f"the data of {own.config['dataset']} are others today"
            self._objections[folder] = reason
        return self._objections[folder]

    def _has_same_data(self, own: CellRun) -> bool:
        """Whether its data are those of today; also true where there are none to compare it with."""
        then = own.state.get("info", {}).get("data", {})
        for split in (own.config["train_split"], own.config["valid_split"]):
            try:
                today = self._fingerprint(own.config, split)
            except (UserError, DataError):
                continue
            if split in then and then[split]["fingerprint"] != today:
                return False
        return True

    def _fingerprint(self, config: Mapping[str, Any], split: str) -> str:
        key = (config["dataset"], split)
        if key not in self._fingerprints:
            splits = {name: config[name] for name in ("dataset", "train_split", "valid_split")}
            dataset = data.open_split({**splits, "runtime": {"data_root": self._data_root}}, split)
            self._fingerprints[key] = data.notes_of(dataset)["fingerprint"]
        return self._fingerprints[key]


def _status(own: Journal, state: Mapping[str, Any]) -> str:
    status = state.get("status", journal.QUEUED)
    if status not in (journal.RUNNING, journal.QUEUED):
        return status
    if own.take():  # nobody holds it
        own.close()
        return journal.DIED
    return ALIVE


def key_of(numbers: Mapping[str, Any]) -> str:
    """A text that is the same for the same numbers."""
    return json.dumps(plain(numbers), sort_keys=True)
