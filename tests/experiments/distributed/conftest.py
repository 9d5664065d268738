"""Jobs of several workers on this machine: real schedulers, servers and workers, on loopback."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import child

ROOT = Path(__file__).parents[3]
SECONDS = 100  # no job of a test takes as long


@pytest.fixture
def run_job(tmp_path) -> Callable[..., list[tuple[int, str]]]:
    """Runs ``python WORDS`` in every worker of a job; each worker's exit code and what it printed."""
    return lambda *words, **options: _run(tmp_path, [str(word) for word in words], **options)


def _run(folder: Path, words: list[str], workers: int = 2, servers: int = 1, **variables: str) -> list[tuple[int, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NODE_HOST": "127.0.0.1",
        "DMLC_NUM_WORKER": str(workers),
        "DMLC_NUM_SERVER": str(servers),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'experiments'}",
        **variables,
    }

    def start(role: str, words: list[str], **own: str) -> subprocess.Popen[bytes]:
        with (folder / f"{role}{own.get('EXPERIMENTS_WORKER', '')}.log").open("wb") as log:
            environment = {**common, "DMLC_ROLE": role, **own}
            return child.start([sys.executable, *words], cwd=ROOT, env=environment, stdout=log, stderr=log)

    own = [{"EXPERIMENTS_WORKER": str(number), "EXPERIMENTS_WORKERS": str(workers)} for number in range(workers)]
    others = [start(role, ["-c", "import mxnet"]) for role in ["scheduler"] + servers * ["server"]]
    processes = [start("worker", words, **numbers) for numbers in own]
    try:
        codes = [process.wait(SECONDS) for process in processes]
    finally:
        for process in [*processes, *others]:
            process.kill()
            process.wait()
    return [(code, (folder / f"worker{number}.log").read_text()) for number, code in enumerate(codes)]
