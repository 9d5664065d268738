"""Which GPUs MXNet's build has code for; the driver is asked through a library of C that stands for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import compute_capability

ROOT = Path(__file__).parents[2]
DRIVER = """
int cuInit(unsigned flags) { return %(init)d; }
int cuDeviceGet(int *device, int number) { *device = 7; return number < 2 ? 0 : 101; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = device != 7 ? -1 : attribute == 75 ? %(major)d : attribute == 76 ? %(minor)d : -1;
    return 0;
}
"""


@pytest.fixture
def driver(tmp_path):
    """A driver whose GPUs 0 and 1 have a given compute capability."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")

    def compiled(major, minor, init=0):
        source, library = tmp_path / "driver.c", tmp_path / f"driver-{major}.{minor}-{init}.so"
        source.write_text(DRIVER % {"major": major, "minor": minor, "init": init})
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        return str(library)

    return compiled


@pytest.mark.parametrize("found", [(5, 0), (6, 1), (7, 5), (8, 0), (8, 9)])
def test_served(found):
    assert compute_capability.verdict(0, found) is None


@pytest.mark.parametrize(("found", "age"), [((9, 0), "new"), ((10, 0), "new"), ((12, 0), "new"), ((3, 7), "old")])
def test_not_served(found, age):
    assert compute_capability.verdict(3, found) == (
        f"GPU 3 has compute capability {found[0]}.{found[1]} and is too {age}: mxnet-cu117 1.9.1 has code for 5.0 to "
        "8.9; take another GPU, or runtime.devices=cpu"
    )


def test_the_driver_is_asked(driver):
    assert compute_capability.capability(1, driver(8, 6)) == (8, 6)
    assert "GPU 1 has compute capability 9.0 and is too new" in compute_capability.refusal(1, driver(9, 0))
    assert compute_capability.refusal(0, driver(7, 0)) is None


def test_nobody_can_tell(driver, tmp_path):
    """Another line says so then: how many GPUs MXNet sees."""
    assert compute_capability.refusal(2, driver(9, 0)) is None
    assert compute_capability.refusal(0, driver(9, 0, init=100)) is None
    assert compute_capability.refusal(0, str(tmp_path / "no.so")) is None


def test_without_a_driver_the_build_for_gpus_is_one_line(tmp_path):
    """A package that loads what that build does, in the place of MXNet."""
    if compute_capability.capability(0) is not None:
        pytest.skip("a driver is here")
    (tmp_path / "mxnet.py").write_text('import ctypes\nctypes.CDLL("libcuda.so.1")\n')
    words = [sys.executable, "experiments/run.py", "-u", "with", "smoke", f"runtime.runs_dir={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Mistake: {compute_capability.NO_DRIVER}" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr


def test_the_environment_for_gpus_differs_in_mxnet_alone():
    """And in the libraries that this build loads."""
    plain, own = (
        {line.split(" ")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line.split(" ")[0]}
        for name in ("requirements.txt", "requirements-gpu.txt")
    )
    assert plain - own == {"mxnet==1.9.1"}
    assert {name.split("==")[0] for name in own - plain} > {"mxnet-cu117", "nvidia-cudnn-cu11", "nvidia-nccl-cu11"}
    assert all(name.startswith(("mxnet-cu117", "nvidia-")) for name in own - plain)


def test_an_environment_remembers_what_it_is_for(tmp_path):
    def made(*words):
        done = subprocess.run(["make", "-n", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return "requirements-gpu.txt" in done.stdout, "requirements.txt" in done.stdout

    for name in ("Makefile", "setup.py", "requirements.txt", "requirements-gpu.txt", "requirements-store.txt"):
        shutil.copy(ROOT / name, tmp_path)
    assert made("setup") == (False, True)
    assert made("setup", "GPU=1") == (True, False)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".complete-gpu").touch()
    assert made("setup") == (False, False)
    assert made("setup", "GPU=0") == (False, True)
