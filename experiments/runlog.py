"""Sacred's observer that loses nothing: a run's events go to its journal first, and from there to the store."""

import contextlib
import mimetypes
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from sacred.metrics_logger import MetricsLogger
from sacred.observers import RunObserver
from sacred.run import Run
from sacred.utils import SacredInterrupt

from experiments import configuration, journal, shown, surroundings, worker
from experiments.copier import Copier
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.plain import number, plain
from experiments.tee import printed_to

CONTENT_TYPES = mimetypes.MimeTypes(filenames=())  # Python's own, the same on every machine


class Terminated(SacredInterrupt):
    """SIGTERM came."""

    STATUS = journal.INTERRUPTED


class RunLog(RunObserver):
    """Records runs: in a folder each, and in MongoDB as far as it can be reached.

    Args:
        runs_dir: where the folders are made; None takes the configuration's ``runtime.runs_dir``.
        mongo: the store's address, see `runstore.named_store`; None takes the configuration's ``runtime.mongo``.
    """

    priority = 30  # as MongoObserver: the first of Sacred's observers, so that others take over its id

    def __init__(self, runs_dir: Path | None = None, mongo: str | None = None) -> None:
        self.folder: Path | None = None  # the run's own
        self.command = ""
        self._given = runs_dir, mongo
        self._journal: Journal | None = None
        self._state: dict[str, Any] = {}
        self._writing = threading.Lock()
        self._copier: Copier | None = None
        self._undo = ExitStack()  # what the end of the run puts back: signals, streams
        self._started = 0.0
        self.direct = False  # whether metrics come one by one, see `Metrics`

    def place(self) -> str:
        """Where the record is, in words; the store is asked."""
        if self._copier is None or self.folder is None:
            return "nowhere"
        if self._copier.copy():
            return f"{shown(self.folder)} and {self._copier.address}"
        return f"{shown(self.folder)}, and not yet in {self._copier.address}"

    def started_event(self, ex_info, command, host_info, start_time, config, meta_info, _id):  # noqa: D102
        self._begin(ex_info, command, host_info, start_time, config, meta_info, _id, journal.RUNNING)
        assert self._journal is not None
        self._undo.enter_context(printed_to(self._journal.print))
        self._undo.enter_context(_ended_by_signals())
        return self._journal.run_id

    def queued_event(self, ex_info, command, host_info, queue_time, config, meta_info, _id):  # noqa: D102
        self._begin(ex_info, command, host_info, queue_time, config, meta_info, _id, journal.QUEUED)
        assert self._journal is not None
        run_id = self._journal.run_id
        self._end({})
        return run_id

    def completed_event(self, stop_time, result):  # noqa: D102
        self._end({"status": journal.COMPLETED, "stop_time": stop_time, "result": result})

    def interrupted_event(self, interrupt_time, status):  # noqa: D102
        self._end({"status": status, "stop_time": interrupt_time})

    def failed_event(self, fail_time, fail_trace):  # noqa: D102
        self._end({"status": journal.FAILED, "stop_time": fail_time, "fail_trace": fail_trace})

    def heartbeat_event(self, info, captured_out, beat_time, result):  # noqa: ARG002, D102  output has its own way
        self._note({"info": info, "heartbeat": beat_time, "result": result})

    def resource_event(self, filename):  # noqa: D102
        md5 = self._kept(filename)
        if md5 and [filename, md5] not in self._state["resources"]:
            self._note({"resources": [*self._state["resources"], [filename, md5]]})

    def artifact_event(self, name, filename, metadata=None, content_type=None):  # noqa: D102
        name = str(name)
        md5 = self._kept(filename, name)
        if md5:
            content_type = content_type or CONTENT_TYPES.guess_type(filename)[0]  # as Sacred does
            facts = {"md5": md5, "metadata": plain(metadata), "content_type": content_type}
            self._note({"artifacts": {**self._state["artifacts"], name: facts}})

    def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG002, D102
        for name, columns in metrics_by_name.items():
            for step, value, moment in zip(columns["steps"], columns["values"], columns["timestamps"], strict=True):
                try:
                    if not self.direct:
                        self.metric(name, value, step, moment.isoformat())
                except UserError as error:  # Sacred would never call an observer again that raises
                    print(f"error: {error}", file=sys.stderr)

    def metric(self, name: str, value: Any, step: int, moment: str | None = None) -> None:
        """Write one value to the journal.

        Raises:
            UserError: if it is no number.
        """
        if self._journal:
            self._journal.metric(name, value, step, moment)
        else:
            number(name, value)

    def _kept(self, filename: str, artifact: str | None = None) -> str | None:
        """The MD5 of a file that the record has now; None, and a word, where it cannot be had."""
        try:
            return self._journal.keep(Path(filename), artifact) if self._journal else None
        except OSError as error:  # Sacred would never call an observer again that raises
            what = "resource" if artifact is None else f"artifact {artifact}"
            reason = error.strerror or error
            print(f"error: {what}: {filename} is not recorded: {reason}; add it again", file=sys.stderr)
            return None

    def _begin(self, ex_info, command, host_info, start_time, config, meta_info, run_id, status) -> None:
        runs_dir, mongo = self._given
        runs_dir = runs_dir or configuration.runs_dir(config)
        mongo = mongo or config.get("runtime", {}).get("mongo")
        self._started = time.monotonic()
        copier = Copier(runs_dir, mongo)
        self.command = command
        resumed = config.get("resume")
        if resumed is not None:
            if command != "train":
                raise UserError(f"resume={resumed}: {command} has nothing to go on with; use weights={resumed}")
            self._journal = Journal(configuration.run_folder(config, resumed))
            if not self._journal.take():
                raise UserError(f"resume={resumed}: that run is still running")
            worker.tell_run(self._journal.folder, command)
            self._state = {**self._journal.read("state"), "stop_time": None, "fail_trace": None}
            self._state.pop("died", None)
            self._state["parts"] = [*self._state.get("parts", []), str(start_time)]
            self._journal.write("config", {**config, "resume": None})
            checkpoint = Journal(self._journal.folder / "checkpoints" / "last")
            self._journal.forget_after(checkpoint.read("progress").get("step", -1))
        else:
            self._journal = copier.reserve(
                run_id,
                lambda new: _write_start(
                    new, copier.address, ex_info, command, host_info, start_time, config, meta_info
                ),
            )
            self._state = {"parts": [str(start_time)], "resources": [], "artifacts": {}, "info": {}}
        self.folder = self._journal.folder
        self._note({"status": status, "heartbeat": start_time})
        self._copier = copier
        copier.start_copying(self._journal)

    def _note(self, changes: dict[str, Any]) -> None:
        if self._journal:
            with self._writing:
                self._state.update(changes)
                self._journal.write("state", self._state)

    def _end(self, changes: dict[str, Any]) -> None:
        if self._journal is None or self._copier is None:
            return
        self._undo.close()
        peak = max(self._state.get("peak_memory_bytes", 0), surroundings.peak_memory_bytes())
        wall = self._state.get("wall_seconds", 0) + time.monotonic() - self._started
        self._note({**changes, "peak_memory_bytes": peak, "wall_seconds": wall})
        self._copier.end()
        self._journal.close()
        self._journal = None


def _write_start(new: Journal, address: str, ex_info, command, host_info, start_time, config, meta_info) -> None:
    """The first words of a new run."""
    worker.tell_run(new.folder, command)
    commit, diff = surroundings.git()
    if diff:
        (new.folder / "changes.diff").write_text(diff)
    base = Path(ex_info["base_dir"])
    versions = surroundings.packages()
    experiment = {key: value for key, value in ex_info.items() if key != "sources"}
    new.write("config", config)
    new.write("state", {"status": journal.QUEUED, "heartbeat": start_time, "info": {}})
    new.write(
        "run",
        {
            "id": new.run_id,
            "uuid": uuid.uuid4().hex,
            "command": command,
            "start_time": start_time,
            "store": address,
            "experiment": {**experiment, "dependencies": [f"{name}=={own}" for name, own in versions.items()]},
            "host": {**host_info, **surroundings.machine()},
            "meta": meta_info,
            "git": commit,
            "packages": versions,
            "sources": [[name, new.keep(base / name)] for name, _ in ex_info["sources"]],
        },
    )


class Metrics(MetricsLogger):
    """Sacred's, which tells the run log of every value at once, and of none that is no number.

    Args:
        log: told first.
        run: whose other observers hear of it in Sacred's way.
    """

    def __init__(self, log: RunLog, run: Run) -> None:
        super().__init__()
        self._log = log
        self._run = run
        log.direct = True

    def log_scalar_metric(self, metric_name: str, value: Any, step: int | None = None) -> None:  # noqa: D102
        step = self._metric_step_counter.get(metric_name, -1) + 1 if step is None else int(step)
        self._metric_step_counter[metric_name] = step
        self._log.metric(metric_name, value, step)
        if len(self._run.observers) > 1:
            super().log_scalar_metric(metric_name, value, step)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within the block SIGTERM ends the run as Ctrl-C does, recorded and in order, and neither is lost.

    What is raised in a destructor Python drops. MXNet's arrays have one, in which one signal of a hundred comes: it is
    raised again.
    """
    dropped: list[type[BaseException]] = []

    def terminate(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Terminated

    def raise_again(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise dropped[-1]

    def take_dropped(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt | Terminated):
            dropped.append(unraisable.exc_type)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            hook(unraisable)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook, sys.unraisablehook = sys.unraisablehook, take_dropped
    handlers = ((signal.SIGTERM, terminate), (signal.SIGALRM, raise_again))
    before = [(number, signal.signal(number, handler)) for number, handler in handlers]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before:
            signal.signal(number, handler)
        sys.unraisablehook = hook
