"""What several tests need."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A store that a test starts stops soon after the test.
os.environ.setdefault("RUN_STORE_IDLE_SECONDS", "2")

# Two threads whatever the machine, so that sums come in one order.
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A folder with MNIST's files; the test is skipped where they cannot be had."""
    from datasets import mnist
    from datasets.errors import DataError

    folder = Path(os.environ.get("MNIST_DIR", ROOT / "data" / "mnist"))
    try:
        mnist.fetch(folder)
    except DataError as error:
        pytest.skip(str(error))
    return folder
