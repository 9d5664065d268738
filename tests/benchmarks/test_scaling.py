"""The model of steps on many workers, on numbers that a hand can compute, and the command itself."""

import json
import math
import os
import subprocess
import sys

import pytest

from benchmarks.scaling import tables
from benchmarks.scaling.__main__ import main
from benchmarks.scaling.model import (
    Parts,
    enough_servers,
    interpolate,
    saturation,
    shared_step,
    shared_work,
    step,
)
from benchmarks.scaling.page import page
from experiments import ROOT

# 1,000 videos at 1 ms each and 0.5 s of optimizer; one array of 100 MB, 1 and 2 ns a byte.
PARTS = Parts(
    batch_size=1000,
    keys=[25_000_000],
    compute=[(0, 0.5), (1000, 1.5)],
    worker=[(0, 0.0), (1e8, 0.1)],
    server=[(0, 0.0), (1e8, 0.2)],
    loader=1e-4,
)
LINK = 1e9  # bytes a second


def test_lines_between_points_and_beyond():
    points = [(1.0, 2.0), (3.0, 4.0), (5.0, 10.0)]
    assert [interpolate(points, x) for x in (0.5, 1.0, 2.0, 3.0, 4.0, 7.0)] == [1.5, 2.0, 3.0, 4.0, 7.0, 16.0]
    assert interpolate(points, -9.0) == 0.0
    assert interpolate([(4.0, 2.0)], 8.0) == 2.0


def test_each_term_of_a_step():
    own = step(PARTS, workers=4, servers=2, bandwidth=LINK)
    assert own.compute == pytest.approx(0.5 + 0.25)
    assert own.worker_link == pytest.approx(2 * 0.1)
    assert own.server_link == pytest.approx(2 * 4 * 0.05)
    assert own.worker_work == pytest.approx(0.1)
    assert own.server_work == pytest.approx(4 * 0.1)
    assert own.loader == pytest.approx(0.025)
    assert own.exchange == pytest.approx(0.1 + 0.4)  # the processors are slower than the links' 0.4
    assert own.seconds == pytest.approx(0.75 + 0.5)
    assert step(PARTS, 4, 2, LINK / 4).seconds == pytest.approx(0.75 + 1.6)  # there the server's link is the slowest
    assert step(PARTS, 4, 2, LINK, speedup=3.0).seconds == pytest.approx(0.25 + 0.5)
    assert step(PARTS, 3, 1, LINK).compute == pytest.approx(0.5 + 0.334)  # of 1,000 videos the largest third


def test_a_loader_too_slow_sets_the_pace():
    slow = Parts(1000, PARTS.keys, PARTS.compute, PARTS.worker, PARTS.server, loader=0.01)
    assert step(slow, 4, 2, LINK).seconds == pytest.approx(2.5)


def test_large_arrays_are_cut_and_small_ones_go_to_one_server():
    parts = Parts(1, [10, 1_000_000, 999_999, 20], [(1, 1.0)], [(0, 0.0)], [(0, 0.0)], 0.0)
    # Arrays 0 and 2 are even numbers times 9973, the last one is odd.
    assert parts.pieces(2) == [[40, 2_000_000, 3_999_996], [2_000_000, 80]]
    assert [len(own) for own in parts.pieces(5)] == [2, 2, 1, 1, 2]  # 0, 2 * 9973 and 3 * 9973 modulo 5: 0, 1, 4
    assert parts.gradient_bytes == 4 * 2_000_029


def test_servers_that_are_enough_and_workers_that_are_too_many():
    # 2 W b / LINK against a worker's 0.2 s; work is 0.1 + 0.2 W / S.
    seconds = [step(PARTS, 4, servers, LINK).seconds for servers in (1, 2, 3, 4)]
    assert seconds == pytest.approx([0.75 + 0.9, 0.75 + 0.5, 0.75 + 0.1 + 0.8 / 3, 0.75 + 0.3])
    assert enough_servers(PARTS, 4, LINK) == 4  # three are 6 % slower
    assert enough_servers(PARTS, 4, LINK, speedup=0.05) == 1  # 15 s of compute: 15.9 is near 15.3
    # compute falls by 1 / W, a single server's work grows by 0.2 W: shortest at sqrt(1 / 0.2), 2 or 3 workers
    assert math.sqrt(1 / 0.2) == pytest.approx(2.236, abs=1e-3)
    assert saturation(PARTS, 1, math.inf) == 2
    assert saturation(PARTS, 4, math.inf) in (4, 5)


def test_where_processes_share_cores_no_phase_is_shorter_than_its_work():
    compute = 0.5 + 0.25 + 0.025
    assert shared_work(PARTS, 4, 1) == pytest.approx(4 * (compute + 0.1 + 0.2))
    assert shared_step(PARTS, 4, 1, cores=2) == pytest.approx(2 * compute + max(0.1 + 0.8, 4 * 0.3 / 2))
    assert shared_step(PARTS, 4, 4, cores=2) == pytest.approx(2 * compute + max(0.1 + 0.2, 4 * 0.3 / 2))
    alone = 0.5 + 1.0 + 0.1
    assert shared_step(PARTS, 1, 1, cores=2) == pytest.approx(alone + 0.3)
    assert shared_step(PARTS, 1, 1, cores=0.5) == pytest.approx(2 * (alone + 0.3))  # others have the rest


def test_the_page_follows_from_its_measurements():
    measured = json.loads((ROOT / "docs" / "scaling.json").read_text())
    assert page(measured, "scaling.svg") == (ROOT / "docs" / "scaling.md").read_text()
    assert [own["workers"] for own in tables.check_rows(measured)] == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_a_file_without_measurements_is_one_line(tmp_path, capsys):
    (tmp_path / "a.json").write_text("{")
    assert main(["--read", str(tmp_path / "a.json")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/a.json: no measurements; measure anew, without --read\n"
    assert main(["--read", "nowhere.json"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["--write", "page.txt"]) == 1
    assert capsys.readouterr().err == "error: --write page.txt: not the name of a page, PAGE.md\n"


@pytest.mark.long
def test_the_command_measures_real_jobs_and_writes_the_page(tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scaling", "--quick", "--write", tmp_path / "page.md"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    measured = json.loads((tmp_path / "page.json").read_text())
    assert (tmp_path / "page.md").read_text() == page(measured, "page.svg")
    assert (tmp_path / "page.svg").read_text().startswith("<svg xmlns=")
    assert [job["workers"] for job in measured["jobs"]] == [1, 1, 2, 2, 3, 3]
    assert [(job["workers"], job["servers"]) for job in measured["stores"]] == [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2)]
    assert all(job["seconds"] > 0 and job["work"] > 0 for job in measured["jobs"])
    assert all(size["server_work"] > 0 for job in measured["stores"] for size in job["sizes"][-1:])
