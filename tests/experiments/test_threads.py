import os
import subprocess
import sys

import pytest

from experiments import ROOT, threads

WORK = """
import os
from experiments import threads
threads.use_all_cores()
import mxnet as mx
matrix = mx.nd.ones((512, 512))
mx.nd.FullyConnected(matrix, matrix, no_bias=True, num_hidden=512).wait_to_read()
print(os.environ["OMP_NUM_THREADS"], len(os.listdir("/proc/self/task")))
"""


def compute(count=None):
    """How many threads a process was told to compute with, and how many it has in all."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if count:
        environment["OMP_NUM_THREADS"] = count
    words = [sys.executable, "-W", "ignore", "-c", WORK]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, threads_in_all = done.stdout.split()
    return int(told), int(threads_in_all)


def test_mxnet_computes_with_every_core_it_may_use():
    told, in_all = compute()
    assert told == threads.cores()
    one, in_all_of_one = compute("1")
    assert one == 1, "what somebody has said counts"
    assert in_all > in_all_of_one or told == 1


def test_a_core_that_is_not_allowed_does_not_count():
    processors = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(processors)})
        assert threads.cores() == 1
    finally:
        os.sched_setaffinity(0, processors)


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 3), ("150000 100000", 2), ("10000 100000", 1), ("900000 100000", 3)]
)
def test_two_processors_of_one_core_and_a_quota(tmp_path, monkeypatch, quota, expected):
    for number, siblings in enumerate(("0,3", "1", "2", "0,3")):
        (tmp_path / f"{number}").write_text(siblings)
    (tmp_path / "quota").write_text(quota + "\n")
    monkeypatch.setattr(threads, "_SIBLINGS", str(tmp_path / "{}"))
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "quota")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert threads.cores() == expected
