"""A run whose values are logged as those of training are, in a folder and the embedded store."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sacred import SETTINGS, Experiment

from experiments import ROOT
from experiments.runlog import Metrics, RunLog

LogScalar = Callable[[str, float, int], None]  # name, value, step


def run(work: Callable[[LogScalar], Any]) -> Any:
    """What ``work`` returns, done within a run that is forgotten after it."""
    SETTINGS["CAPTURE_MODE"] = "sys"
    ex = Experiment("steps", base_dir=str(ROOT), save_git_info=False)
    with tempfile.TemporaryDirectory() as folder:
        log = RunLog(Path(folder))
        ex.observers.append(log)

        @ex.main
        def steps(_run: Any) -> Any:
            _run._metrics = Metrics(log, _run)
            return work(_run.log_scalar)

        return ex.run(options={"--loglevel": "ERROR"}).result
