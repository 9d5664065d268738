"""Cells run in fresh processes, some at once; none outlives this one."""

import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

from experiments import ROOT, child

INTERRUPTED = "interrupted"


class Runner:
    """Runs command lines of ``experiments/run.py``.

    Args:
        jobs: how many at once; each computes on its share of the cores.
        runtime: words that all of them get, of the form ``runtime.KEY=VALUE``.
    """

    def __init__(self, jobs: int, runtime: list[str]):
        self.jobs = jobs
        self._runtime = runtime
        self._executor: Executor = ThreadPoolExecutor(jobs, thread_name_prefix="cell")
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def submit(self, words: list[str]) -> "Future[str]":
        """Run ``with WORDS`` as soon as there is room; the result is empty, or says in a line why it failed."""
        return self._executor.submit(self._run, words)

    def stop(self) -> None:
        """Ask all processes to end, and wait for them: a run that is asked to ends in order."""
        with self._lock:
            self._stopping = True
            living = list(self._children)
        for process in living:
            process.terminate()
        for process in living:
            child.stop(process)
        self._executor.shutdown(cancel_futures=True)

    def _run(self, words: list[str]) -> str:
        threads = max(1, len(os.sched_getaffinity(0)) // self.jobs)
        command = [sys.executable, str(ROOT / "experiments" / "run.py"), "with", *words, *self._runtime]
        with tempfile.TemporaryFile() as said:
            with self._lock:
                if self._stopping:
                    return INTERRUPTED
                process = child.start(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends them
                    env={**os.environ, "OMP_NUM_THREADS": str(threads)},
                )
                self._children.add(process)
            code = process.wait()
            with self._lock:
                self._children.discard(process)
            if code == 0:
                return ""
            said.seek(0)
            lines = [
                line for line in said.read().decode(errors="replace").replace("\r", "\n").splitlines() if line.strip()
            ]
        if self._stopping:
            return INTERRUPTED
        return lines[-1].strip() if lines else f"it ended with code {code} and no word"
