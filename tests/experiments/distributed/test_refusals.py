"""What workers of a job cannot do together, or one alone cannot know of, is said in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datasets import synthetic
from experiments import prepare

ROOT = Path(__file__).parents[3]


def test_workers_with_other_data_end_the_job(tmp_path):
    """As many videos of the same shape; each worker has a folder of its own, as machines do."""
    for worker in range(2):
        for split, seed in (("train", worker), ("test", 0)):
            folder = tmp_path / str(worker) / "smoke_flash_mnist"
            synthetic.write_split(folder, prepare.SHAPES["flash_mnist"], split, 48, seed)
    run = f"{sys.executable} experiments/run.py -u with smoke runtime.runs_dir={tmp_path / 'runs'}"
    own = f"{run} runtime.data_root={tmp_path}/$EXPERIMENTS_WORKER"
    words = [sys.executable, "-m", "experiments.launch", "--workers", "2", "--", "sh", "-c", own]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Mistake: worker 1: its data differ from the first worker's: smoke_flash_mnist, split train: 48 vid" in said
    assert not [line for line in said.splitlines() if "Traceback" in line and not line.startswith("[scheduler")]


@pytest.mark.parametrize(("worker", "as_file"), [(0, True), (1, True), (1, False)])
def test_settings_that_only_some_would_hear_of(tmp_path, worker, as_file):
    file = tmp_path / "settings.yaml"
    file.write_text("runtime:\n  devices: cpu\n")
    word = str(file) if as_file else "runtime={'devices': 'cpu'}"
    environment = {**os.environ, "EXPERIMENTS_WORKER": str(worker), "EXPERIMENTS_WORKERS": "2"}
    command = [sys.executable, "experiments/run.py", "-u", "with", "smoke", word]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    who = "worker 1: " if worker else ""
    expected = f"Mistake: {who}{word}: a job takes its settings as KEY=VALUE, such as runtime.devices=gpu\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


TRAINS = """
import sys
from test_tasks import config
from experiments import tasks
from experiments.collective import Collective
from experiments.errors import UserError
steps = []
changes = {"batch_size": int(sys.argv[2]), "epochs": 2, "log_interval": 1}
with Collective("dist_async") as job:
    try:
        log = lambda name, _, step: steps.append(step) if name == "train.loss" else None
        tasks.train(config(sys.argv[1], **changes), None, log, {}, job)
    except UserError as error:
        print(error)
print(steps)
"""


@pytest.mark.parametrize(
    ("batch_size", "said"),
    [
        (8, "[1, 3]"),  # the last batch of an epoch has one video, which is the second worker's
        (1, "job: a batch of 1 has no video for each of 2 workers"),
    ],
)
def test_no_loss_of_no_videos(tmp_path, run_job, batch_size, said):
    """Without waiting for each other, the first worker knows the loss of its own videos alone."""
    for split, videos in (("train", 9), ("validate", 8)):
        synthetic.write_split(tmp_path / "small", prepare.SHAPES["flash_mnist"], split, videos, seed=0)
    done = run_job("-c", TRAINS, tmp_path, batch_size)
    assert [code for code, _ in done] == [0, 0], done
    assert said in done[0][1]
