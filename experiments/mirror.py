"""The copy of a run's journal in MongoDB, in the documents that Sacred writes and Omniboard reads.

The only file that knows these documents: collection ``runs``, one document a run; ``metrics``, one a curve; GridFS for
sources, resources and artifacts. Everything is written so that doing it again changes nothing: ids are derived from
the content, so whoever is interrupted, or not sure what arrived, begins again.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import gridfs
from bson import ObjectId
from gridfs.errors import FileExists
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from experiments.journal import Journal

FORMAT = "MongoObserver-0.7.0"  # of Sacred 0.8
OUTPUT_HEAD, OUTPUT_TAIL = 100_000, 900_000  # characters of the output in the record; a document may have 16 MB
CURVE_POINTS = 50_000  # of a metric in the record; more make its document too large, and Omniboard slow
GROUP = 5_000  # points a write
READ_POINTS = 20_000  # of the journal at a time


class TakenError(Exception):
    """The store has another run under this id."""


class Mirror:
    """One journal's copy.

    Args:
        journal: of the run.
        database: where the copy lies.
    """

    def __init__(self, journal: Journal, database: Database):
        self.journal = journal
        self.database = database
        self._id = journal.run_id
        self._run = journal.read("run")
        self._curves: dict[str, _Curve] = {}
        self._offset = 0
        self._files: set[ObjectId] = set()  # what is known to be there
        self._sources: list[list[Any]] | None = None

    def reserve(self) -> None:
        """Write a first document, so that nobody else takes the id.

        Raises:
            TakenError: if somebody has.
        """
        found = self.database["runs"].find_one({"_id": self._id}, {"journal": 1})
        if found is None:
            try:
                self.database["runs"].insert_one({"_id": self._id, "journal": self._run["uuid"], **self._static()})
            except DuplicateKeyError:
                found = self.database["runs"].find_one({"_id": self._id}, {"journal": 1})
        if found is not None and found.get("journal") != self._run["uuid"]:
            raise TakenError(self._id)

    def update(self) -> None:
        """Bring the copy up to where the journal is now.

        Raises:
            PyMongoError: if the store does not take it; call again later.
            TakenError: if the store has another run under this id.
        """
        state = self.journal.read("state")  # before the rest: the copy never says more than it holds
        self.reserve()
        self._update_curves()
        self._sources = self._sources or [
            [name, self._file(self.journal.files / md5, self._run["experiment"]["base_dir"] + "/" + name, md5)]
            for name, md5 in self._run["sources"]
        ]
        resources = [[path, md5] for path, md5 in state.get("resources", [])]
        for path, md5 in resources:
            self._file(self.journal.files / md5, path, md5)
        output = self._output(state)
        artifacts = [self._artifact(name, **facts) for name, facts in state.get("artifacts", {}).items()]
        for name, whole in (("output.txt", "output_cut" in output), ("metrics.jsonl", self._thinned())):
            if whole and state.get("stop_time"):
                artifacts.append(self._whole(name))
        totals = {name: state[name] for name in ("peak_memory_bytes", "wall_seconds", "died") if name in state}
        info = {**state.get("info", {}), **totals, "metrics": [curve.reference for curve in self._curves.values()]}
        fields = {
            **self._static(),
            "journal": self._run["uuid"],
            "status": state.get("status"),
            "heartbeat": _moment(state.get("heartbeat")),
            "stop_time": _moment(state.get("stop_time")),
            "result": state.get("result"),
            "captured_out": output["captured_out"],
            "info": _keys(info),
            "resources": resources,
            "artifacts": artifacts,
            "experiment": {**self._static()["experiment"], "sources": self._sources},
        }
        if state.get("fail_trace"):
            fields["fail_trace"] = state["fail_trace"]
        self.database["runs"].update_one({"_id": self._id}, {"$set": fields}, upsert=True)

    def _static(self) -> dict[str, Any]:
        run = self._run
        return {
            "format": FORMAT,
            "command": run["command"],
            "experiment": _keys({**run["experiment"], "sources": []}),
            "host": _keys(run["host"]),
            "meta": _keys(run["meta"]),
            "config": _keys(self.journal.read("config")),
            "start_time": _moment(run["start_time"]),
            "status": "RUNNING",
            "git": _keys(run.get("git", {})),
        }

    def _update_curves(self) -> None:
        """Append the values that are new in the journal; write a curve whole where it is not known what is there."""
        while True:  # a group at a time: after a long absence of the store there are many
            entries, offset = self.journal.metrics(self._offset, most=READ_POINTS)
            fresh: dict[str, list[dict[str, Any]]] = {}
            for entry in entries:
                fresh.setdefault(entry["name"], []).append(entry)
            for name, added in fresh.items():
                if name not in self._curves:
                    self._curves[name] = _Curve(self.database, self._id, self._run["uuid"], name)
                self._curves[name].add(added)
            self._offset = offset
            if len(entries) < READ_POINTS:
                break
        for curve in self._curves.values():
            curve.flush()

    def _thinned(self) -> bool:
        return any(curve.stride > 1 for curve in self._curves.values())

    def _output(self, state: Mapping[str, Any]) -> dict[str, Any]:
        head, tail, size = self.journal.output_ends(OUTPUT_HEAD, OUTPUT_TAIL)
        left_out = size - len(head.encode()) - len(tail.encode())
        if left_out <= 0:
            return {"captured_out": head + tail}
        whole = "is the artifact output.txt" if state.get("stop_time") else f"is in {self.journal.folder}/output.txt"
        note = f"\n\n... {left_out:,} bytes are left out here; the whole {whole} ...\n\n"
        return {"captured_out": head + note + tail, "output_cut": True}

    def _artifact(self, name: str, md5: str, metadata: Any, content_type: str | None) -> dict[str, Any]:
        """A file that the run made, as the record names it."""
        about = {"metadata": _keys(metadata), "contentType": content_type}
        return self._attached(self.journal.artifact(name), name, md5, about)

    def _whole(self, name: str) -> dict[str, Any]:
        """A file of the journal that has ended, as the record names it."""
        path = self.journal.folder / name
        stat = path.stat()
        return self._attached(path, name, f"{self._run['uuid']} {stat.st_size} {stat.st_mtime_ns}", {})

    def _attached(self, path: Path, name: str, md5: str, about: Mapping[str, Any]) -> dict[str, Any]:
        # What is said about a file is in its id as well: said anew, it is there anew.
        owner = " ".join([self._run["uuid"], *([repr(about)] if about else [])])
        return {"name": name, "file_id": self._file(path, f"artifact://runs/{self._id}/{name}", md5, owner, **about)}

    def _file(self, path: Path, filename: str, md5: str, owner: str = "", **about: Any) -> ObjectId:
        """The GridFS id of ``path``, brought there if it is not yet, with what is said ``about`` it."""
        file_id, fs = _file_id(filename, md5, owner), gridfs.GridFS(self.database)
        if file_id in self._files:
            return file_id
        if not fs.exists(file_id):
            fs.delete(file_id)  # the chunks of somebody who did not end
            try:
                with path.open("rb") as file:
                    fs.put(file, _id=file_id, filename=filename, md5=md5, **about)
            except (FileExists, DuplicateKeyError):
                if not fs.exists(file_id):  # another process brings the same file in this moment
                    raise
        self._files.add(file_id)
        return file_id


class _Curve:
    """One metric's document: at most `CURVE_POINTS` of its points, every ``stride``-th."""

    def __init__(self, database: Database, run_id: int | str, uuid: str, name: str):
        self._collection = database["metrics"]
        self._key = {"_id": _object_id(f"{uuid} {name}")}
        self._owner: dict[str, Any] = {"run_id": run_id, "name": name}
        self.reference = {"name": name, "id": str(self._key["_id"])}
        self.stride = 1
        self._seen = 0
        self._points: list[tuple[int, float, datetime]] = []
        self._stored: int | None = None  # how many of the points are there for certain

    def add(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            if self._seen % self.stride == 0:
                self._points.append((entry["step"], entry["value"], datetime.fromisoformat(entry["time"])))
            self._seen += 1
            if len(self._points) > CURVE_POINTS:
                self._points = self._points[::2]
                self.stride *= 2
                self._stored = None

    def flush(self) -> None:
        stored, self._stored = self._stored, None  # unknown, should this fail
        if stored is None:
            self._write("$set", self._points[:GROUP])
            stored = min(GROUP, len(self._points))
        while stored < len(self._points):
            self._write("$push", self._points[stored : stored + GROUP])
            stored = min(stored + GROUP, len(self._points))
        self._stored = stored

    def _write(self, operator: str, points: list[tuple[int, float, datetime]]) -> None:
        columns: dict[str, Any] = dict(
            zip(("steps", "values", "timestamps"), map(list, zip(*points, strict=True)), strict=True)
        )
        if operator == "$push":
            update = {"$push": {name: {"$each": column} for name, column in columns.items()}}
        else:
            update = {"$set": {**self._owner, **columns}}
        self._collection.update_one(self._key, update, upsert=True)


def delete(database: Database, run_id: int | str) -> bool:
    """Remove a run with its curves and artifacts, and the sources and resources that no other run has.

    Returns:
        Whether it was there.
    """
    run = database["runs"].find_one({"_id": run_id})
    if run is None:
        return False
    fs = gridfs.GridFS(database)
    earlier = fs.find({"filename": {"$regex": f"^artifact://runs/{re.escape(str(run_id))}/"}})  # and replaced since
    for file_id in {artifact["file_id"] for artifact in run.get("artifacts", [])} | {file._id for file in earlier}:
        fs.delete(file_id)
    database["metrics"].delete_many({"run_id": run_id})
    database["runs"].delete_one({"_id": run_id})
    others = {file_id for other in database["runs"].find({}, _SHARED) for file_id in _shared_ids(other)}
    for file_id in _shared_ids(run) - others:
        fs.delete(file_id)
    return True


_SHARED = {"experiment.sources": 1, "resources": 1}


def _shared_ids(run: Mapping[str, Any]) -> set[ObjectId]:
    """What a run has in GridFS that other runs may have too."""
    sources = {file_id for _, file_id in run.get("experiment", {}).get("sources", [])}
    return sources | {_file_id(path, md5) for path, md5 in run.get("resources", [])}


def taken_numbers(database: Database) -> list[int]:
    """The numbers that runs in ``database`` have."""
    return [int(run["_id"]) for run in database["runs"].find({"_id": {"$type": "number"}}, {"_id": 1})]


def _file_id(filename: str, md5: str, owner: str = "") -> ObjectId:
    return _object_id(f"{owner} {filename} {md5}")


def _object_id(key: str) -> ObjectId:
    return ObjectId(hashlib.sha256(key.encode()).hexdigest()[:24])


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _keys(value: Any) -> Any:
    """``value`` with keys that MongoDB and Omniboard take: Sacred's way with dots and dollars."""
    if isinstance(value, Mapping):
        return {
            ("@" + key[1:] if key[:1] == "$" else key).replace(".", ","): _keys(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_keys(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)  # more than MongoDB's integers hold
    return value
