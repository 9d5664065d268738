"""What Sacred's own observer loses, and ours keeps, and what both keep: each test is held against both."""

import os
import signal
import subprocess
import sys
import time

import gridfs
import pytest

from experiments import ROOT
from experiments.journal import Journal
from experiments.runlog import Terminated, _ended_by_signals

SCRIPT = """
import os, sys, time
from pathlib import Path
import numpy as np
from sacred import SETTINGS, Experiment

SETTINGS["CAPTURE_MODE"] = "sys"
SETTINGS["CONFIG"]["ENFORCE_KEYS_MONGO_COMPATIBLE"] = False
SETTINGS["CONFIG"]["ENFORCE_KEYS_JSONPICKLE_COMPATIBLE"] = False
observer, address, runs_dir, folder = sys.argv[1:5]
ex = Experiment("trial", base_dir=folder, save_git_info=False)
ex.add_config({config})
if observer == "ours":
    from experiments.runlog import RunLog
    ex.observers.append(RunLog(Path(runs_dir), address))
else:
    from sacred.observers import MongoObserver
    ex.observers.append(MongoObserver(url=address, db_name="sacred", serverSelectionTimeoutMS=500))

@ex.main
def main(_run):
    {body}

ex.run_commandline([__file__, *sys.argv[5:]])
"""


@pytest.fixture(
    params=[
        "ours",
        pytest.param(
            "sacreds",
            marks=[pytest.mark.xfail(strict=True, reason="the defect", raises=Exception), pytest.mark.long],
        ),
    ]
)
def trial(request, server, tmp_path):
    return Trial(request.param, server, tmp_path)


@pytest.fixture(params=["ours", "sacreds"])
def either(request, server, tmp_path):
    return Trial(request.param, server, tmp_path)


class Trial:
    def __init__(self, observer, server, folder):
        self.observer, self.server, self.folder, self.runs_dir = observer, server, folder, folder / "runs"

    def start(self, body, *words, config="{}"):
        script = self.folder / "trial.py"
        script.write_text(SCRIPT.replace("{config}", config).replace("{body}", body.replace("\n", "\n    ")))
        command = [
            sys.executable,
            str(script),
            self.observer,
            self.server.address,
            str(self.runs_dir),
            str(self.folder),
        ]
        return subprocess.Popen(
            [*command, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, body, *words, config="{}"):
        process = self.start(body, *words, config=config)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def record(self, run_id=1):
        record = self.server.database()["runs"].find_one({"_id": run_id})
        assert record is not None
        return record

    def curve(self, name):
        return self.server.database()["metrics"].find_one({"run_id": 1, "name": name})

    def files(self, name):
        return [file.read() for file in gridfs.GridFS(self.server.database()).find() if file.filename.endswith(name)]

    def artifacts(self, run_id=1):
        """Of each its name, content, metadata and content type."""
        fs, facts = gridfs.GridFS(self.server.database()), self.server.database()["fs.files"]
        found = [(artifact["name"], artifact["file_id"]) for artifact in self.record(run_id)["artifacts"]]
        stored = [(name, fs.get(file_id).read(), facts.find_one({"_id": file_id})) for name, file_id in found]
        return [(name, content, said["metadata"], said["contentType"]) for name, content, said in stored]

    def wait_for(self, process, text):
        for line in process.stdout:
            if text in line:
                return
        raise AssertionError(f"{text} was not said")


def test_a_resource_is_stored_as_a_file(trial):
    (trial.folder / "weights.bin").write_bytes(b"abc")
    trial.run(f"_run.add_resource('{trial.folder}/weights.bin')")
    assert trial.files("weights.bin") == [b"abc"]
    assert trial.record()["resources"][0][0] == f"{trial.folder}/weights.bin"


def test_a_resource_that_is_used_twice_is_named_once(trial):
    (trial.folder / "weights.bin").write_bytes(b"abc")
    trial.run("_run.add_resource('weights.bin')\n_run.open_resource('weights.bin').close()")
    assert [path for path, _ in trial.record()["resources"]] == [f"{trial.folder}/weights.bin"]


def test_an_artifact_is_stored_with_what_is_said_of_it(either):
    (either.folder / "scores.csv").write_bytes(b"a,b")
    either.run(
        "_run.add_artifact('scores.csv', metadata={'epoch': 3, 'of': [1, 2.5]})\n"
        "_run.add_artifact('scores.csv', 'named', content_type='text/x-own')\n"
        "_run.add_artifact('scores.csv', '../../plots/scores')\n"
        "_run.add_artifact('trial.py', '/..')\n"
    )
    assert either.artifacts() == [
        ("scores.csv", b"a,b", {"epoch": 3, "of": [1, 2.5]}, "text/csv"),
        ("named", b"a,b", None, "text/x-own"),
        ("../../plots/scores", b"a,b", None, "text/csv"),
        ("/..", (either.folder / "trial.py").read_bytes(), None, "text/x-python"),
    ]


@pytest.mark.parametrize("trial", ["ours"], indirect=True)
def test_an_artifact_is_in_the_runs_folder_and_its_name_in_the_record(trial):
    (trial.folder / "scores.csv").write_bytes(b"a,b")
    trial.run(
        "for name in ('../../plots/scores', 'plots/scores', 'scores.csv', 'scores.csv'):\n"
        "    _run.add_artifact('scores.csv', name, {'name': name, 'score': np.float32(0.5), 'time': time.time()})"
    )
    own = Journal(trial.runs_dir / "1")
    names = ["../../plots/scores", "plots/scores", "scores.csv"]
    assert list(own.read("state")["artifacts"]) == names
    assert sorted(path.name for path in trial.folder.iterdir()) == ["runs", "scores.csv", "server", "trial.py"]
    assert {path.read_bytes() for path in (own.folder / "artifacts").iterdir()} == {b"a,b"}
    assert len(list((own.folder / "artifacts").iterdir())) == 3
    for name, (stored_name, _, metadata, _) in zip(names, trial.artifacts(), strict=True):
        assert stored_name == name
        assert metadata == own.read("state")["artifacts"][name]["metadata"]  # what was said last
        assert (metadata["name"], metadata["score"]) == (name, 0.5)


def test_a_file_that_is_not_there_costs_no_record(trial):
    said = trial.run("_run.add_artifact('none.csv')\n_run.add_resource('none.bin')\n_run.log_scalar('x', 1.0)")
    missing = "is not recorded: No such file or directory; add it again"
    assert f"error: artifact none.csv: {trial.folder}/none.csv {missing}\n" in said
    assert f"error: resource: {trial.folder}/none.bin {missing}\n" in said
    assert trial.curve("x")["values"] == [1.0]


def test_sources_are_stored_once(trial):
    for _ in range(3):
        trial.run("pass")
    assert len(trial.files("trial.py")) == 1
    ids = {trial.record(run_id)["experiment"]["sources"][0][1] for run_id in (1, 2, 3)}
    assert len(ids) == 1


def test_much_output_is_kept_whole(trial):
    trial.run("for number in range(200_000): print(f'{number:-<88}')\n_run.log_scalar('x', 1.0)")
    record = trial.record()
    assert record["status"] == "COMPLETED"
    assert 500_000 < len(record["captured_out"]) < 2_000_000
    assert "199999---" in record["captured_out"]
    (whole,) = trial.files("output.txt")
    assert whole.count(b"\n") == 200_000
    note = f"\n\n... {len(whole) - 1_000_000:,} bytes are left out here; the whole is the artifact output.txt ...\n\n"
    assert record["captured_out"].encode() == whole[:100_000] + note.encode() + whole[-900_000:]


def test_an_id_of_the_users_own_does_not_break_the_next(trial):
    trial.run("pass", "-i", "mine")
    trial.run("pass")
    trial.run("pass")
    assert {run["_id"] for run in trial.server.database()["runs"].find()} == {"mine", 1, 2}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_recorded_with_the_output(trial, number):
    process = trial.start("print('so far', flush=True)\ntime.sleep(60)")
    trial.wait_for(process, "so far")
    time.sleep(0.2)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    record = trial.record()
    assert record["status"] == "INTERRUPTED"
    assert "so far" in record["captured_out"]
    assert record["stop_time"]


def test_a_killed_run_is_found_by_the_next(trial):
    process = trial.start("_run.log_scalar('x', 1.0)\nprint('so far', flush=True)\ntime.sleep(60)")
    trial.wait_for(process, "so far")
    process.kill()
    process.communicate(timeout=30)
    trial.run("time.sleep(1)")
    record = trial.record()
    assert record["status"] == "PROBABLY_DEAD"
    assert "so far" in record["captured_out"]


def test_numbers_of_every_kind_are_kept(trial):
    values = "[np.float32(1.5), np.array([2.5]), np.array(3, np.uint8), 4, True, np.float16(6), float('nan'), 8.0]"
    trial.run(f"for step, value in enumerate({values}): _run.log_scalar('x', value, step)\nreturn np.float64(0.25)")
    curve = trial.curve("x")
    assert curve["values"][:6] == [1.5, 2.5, 3, 4, 1, 6]
    assert curve["values"][6] != curve["values"][6]
    assert curve["values"][7] == 8.0
    assert curve["steps"] == list(range(8))
    assert trial.record()["result"] == 0.25


def test_what_is_no_number_is_refused_loudly(trial):
    said = trial.run("_run.log_scalar('x', np.zeros(3))\n_run.log_scalar('y', 1.0)")
    assert "metric x" in said
    assert trial.curve("y")["values"] == [1.0]


def test_a_result_is_a_plain_number(trial):
    trial.run("return {'loss': np.float32(0.5), 'steps': np.int64(3)}")
    assert trial.record()["result"] == {"loss": 0.5, "steps": 3}


def test_keys_of_any_kind(trial):
    trial.run("pass", config="{'rates': {0: 0.1, 'conv.weight': 0.2}}")
    assert trial.record()["config"]["rates"] == {"0": 0.1, "conv,weight": 0.2}
    assert Journal(trial.runs_dir / "1").read("config")["rates"] == {"0": 0.1, "conv.weight": 0.2}


def test_a_server_that_is_down_at_the_start(trial):
    trial.server.kill()
    said = trial.run("print('done')")
    assert said.count("the run goes on") == 1
    trial.server.start()
    trial.run("time.sleep(1)")
    assert trial.record(1)["status"] == "COMPLETED"
    assert "done" in trial.record(1)["captured_out"]


def test_a_server_that_is_lost_at_the_end(trial):
    process = trial.start(
        "_run.log_scalar('x', 1.0)\nprint('so far', flush=True)\n"
        "while not Path('go').exists(): time.sleep(0.05)\n_run.log_scalar('x', 2.0)\nprint('more')"
    )
    trial.wait_for(process, "so far")
    trial.server.kill()
    (trial.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    trial.server.start()
    trial.run("time.sleep(1)")
    assert trial.record(1)["status"] == "COMPLETED"
    assert trial.curve("x")["values"] == [1.0, 2.0]
    assert "more" in trial.record(1)["captured_out"]


class _Dying:
    """In whose destructor a signal comes."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_is_not_lost_in_a_destructor(number, kind):
    """What is raised there Python drops."""
    with pytest.raises(kind), _ended_by_signals():  # noqa: PT012
        _Dying(number)
        time.sleep(5)
