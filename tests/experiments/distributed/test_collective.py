"""What workers say to each other."""

from pathlib import Path

import numpy as np
import pytest

from experiments.collective import Collective

WORKER = Path(__file__).with_name("collective_worker.py")


@pytest.mark.long
@pytest.mark.parametrize(
    ("kvstore", "workers", "servers"), [("dist_sync", 3, 2), ("dist_device_sync", 2, 1), ("dist_async", 3, 2)]
)
def test_workers_hear_each_other(run_job, kvstore, workers, servers):
    done = run_job(WORKER, kvstore, workers=workers, servers=servers)
    assert [(code, text.splitlines()[-1:]) for code, text in done] == workers * [(0, ["all well"])], done


FAILS = """
import os, time
from experiments.collective import Collective
with Collective("dist_sync") as job:
    if not job.is_first:
        raise ValueError("its data are not there")
    time.sleep(5)
    os._exit(0)
"""


@pytest.mark.long
def test_a_worker_that_fails_does_not_wait_for_the_others(run_job):
    (_, _), (code, text) = run_job("-c", FAILS)
    assert (code, text.splitlines()[-1]) == (1, "ValueError: its data are not there")


def test_one_alone_hears_itself():
    job = Collective("device")
    assert job.is_first
    assert job.sum(np.ones(3)).tolist() == [1, 1, 1]
    assert job.share([1, "a"]) == [1, "a"]
    assert [own["x"].tolist() for own in job.gather({"x": np.arange(2)})] == [[0, 1]]
    parts = [{"x": np.arange(2)}, {"x": np.arange(3)}]
    assert [[own["x"].tolist() for own in found] for found in job.gather_each(parts)] == [[[0, 1]], [[0, 1, 2]]]
