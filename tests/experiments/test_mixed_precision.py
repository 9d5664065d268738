"""float16: what can be tested of it without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from datasets import synthetic
from experiments import mixed_precision
from experiments.collective import Collective
from experiments.errors import UserError

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("mixed_precision_worker.py")
SHAPE = synthetic.Shape({"rgb": 24, "audio": 8}, np.ones(6), 1.5, 4, 9)


@pytest.mark.parametrize("what", ["types", "scale"])
def test_in_a_process_of_its_own(tmp_path, what):
    for split, videos in (("train", 74), ("validate", 21)):
        synthetic.write_split(tmp_path, SHAPE, split, videos, seed=0)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{WORKER.parent}"}
    done = subprocess.run(
        [sys.executable, str(WORKER), what, str(tmp_path), str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_cpu_cannot():
    with pytest.raises(UserError, match=r"runtime.dtype=float16: MXNet computes it on GPUs alone, not on cpu\(0\)"):
        mixed_precision.start("float16", [mx.cpu(0)], Collective())


def test_float32_changes_nothing():
    mixed_precision.start("float32", [mx.cpu(0)], Collective())
    assert not mixed_precision.is_on()
