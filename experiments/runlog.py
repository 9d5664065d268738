"""Sacred's record of a run: a folder under ``runs/`` and a document in MongoDB, with one id for both."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pymongo
from sacred.observers import MongoObserver, RunObserver

from experiments import configuration, runstore
from experiments.errors import UserError


class RunLog(RunObserver):
    """Sacred's MongoObserver over the store that the run's own configuration names.

    The store is opened when a run starts, so that commands without a record start none. The run's id is the next
    number that neither the store nor the folder of runs has.
    """

    priority = 30  # as MongoObserver: the first of Sacred's observers, so that others take over its id

    def __init__(self) -> None:
        self.folder: Path | None = None  # the run's own
        self.address = ""  # of the store, without its password
        self._open = ExitStack()  # holds the store open until the run ends
        self._mongo: MongoObserver | None = None
        self._earlier_output = ""  # of the run's first part, where it is resumed
        self._earlier_metrics: list[dict[str, str]] = []

    def started_event(self, ex_info, command, host_info, start_time, config, meta_info, _id):  # noqa: D102
        resumed = config["resume"]
        if resumed is not None and command != "train":
            raise UserError(f"resume={resumed}: {command} has nothing to go on with; use weights={resumed}")
        runs_dir = configuration.runs_dir(config)
        store = self._open.enter_context(runstore.open_store(config["runtime"]["mongo"], runs_dir))
        named = runstore.named_store(config["runtime"]["mongo"])
        self.address = store.redacted if named else f"{runs_dir / 'store'} (embedded)"
        client = self._open.enter_context(store.client())
        database = store.database
        try:
            self._mongo = MongoObserver(client=client, db_name=database, overwrite=resumed)
        except RuntimeError as error:
            raise UserError(
                f"resume={resumed}: {self.address} has no such run; name its store by runtime.mongo"
            ) from error
        event = (ex_info, command, host_info, start_time, config, meta_info)
        if resumed is not None:
            self.folder = runs_dir / str(resumed)
            self._go_on(client[database], resumed)
            return self._mongo.started_event(*event, _id=resumed)
        while True:
            run_id = _id or self._next_id(runs_dir, client[database]["runs"])
            try:
                (runs_dir / str(run_id)).mkdir(parents=True)
            except FileExistsError as error:
                if _id is None:
                    continue  # another run took the number in this moment
                raise UserError(f"run id {_id}: {runs_dir / str(_id)} is there already; choose another") from error
            self.folder = runs_dir / str(run_id)
            return self._mongo.started_event(*event, _id=int(run_id) if str(run_id).isdigit() else run_id)

    def completed_event(self, stop_time, result):  # noqa: D102
        self._ended("completed_event", stop_time=stop_time, result=result)

    def interrupted_event(self, interrupt_time, status):  # noqa: D102
        self._ended("interrupted_event", interrupt_time=interrupt_time, status=status)

    def failed_event(self, fail_time, fail_trace):  # noqa: D102
        self._ended("failed_event", fail_time=fail_time, fail_trace=fail_trace)

    def heartbeat_event(self, info, captured_out, beat_time, result):  # noqa: D102
        if self._mongo:
            self._mongo.heartbeat_event(info, self._earlier_output + captured_out, beat_time, result)

    def resource_event(self, filename):  # noqa: D102
        if self._mongo:
            self._mongo.resource_event(filename)

    def artifact_event(self, name, filename, metadata=None, content_type=None):  # noqa: D102
        if self._mongo:
            self._mongo.artifact_event(name, filename, metadata, content_type or "application/octet-stream")

    def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: D102
        if self._mongo:
            self._mongo.log_metrics(metrics_by_name, info)
            known = info.setdefault("metrics", [])  # what Omniboard finds the curves by
            known += [metric for metric in self._earlier_metrics if metric not in known]

    def _go_on(self, database: pymongo.database.Database, run_id: int) -> None:
        """Keep what the run recorded up to its checkpoint, and forget the steps after it: they come again."""
        assert self.folder is not None
        progress = self.folder / "checkpoints" / "last" / "progress.json"
        last_step = json.loads(progress.read_text())["step"] if progress.exists() else -1
        record = database["runs"].find_one({"_id": run_id}, {"captured_out": 1})
        self._earlier_output = record["captured_out"] if record else ""
        for metric in database["metrics"].find({"run_id": run_id}):
            kept = [place for place, step in enumerate(metric["steps"]) if step <= last_step]
            columns = {name: [metric[name][place] for place in kept] for name in ("steps", "values", "timestamps")}
            database["metrics"].update_one({"_id": metric["_id"]}, {"$set": columns})
            self._earlier_metrics.append({"name": metric["name"], "id": str(metric["_id"])})

    def _ended(self, event: str, **arguments: Any) -> None:
        with self._open:
            if self._mongo:
                getattr(self._mongo, event)(**arguments)

    @staticmethod
    def _next_id(runs_dir: Path, runs: pymongo.collection.Collection) -> int:
        stored = [int(run["_id"]) for run in runs.find({"_id": {"$type": "number"}}, {"_id": 1})]
        folders = [int(folder.name) for folder in runs_dir.glob("[0-9]*") if folder.name.isdigit()]
        return max([0, *stored, *folders]) + 1
