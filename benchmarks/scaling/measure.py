"""Everything that is measured: each part in a process of its own, one after the other, on this machine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from datasets import synthetic
from experiments import ROOT, child, registry
from experiments.errors import UserError

STORES = ((1, 1), (2, 1), (3, 1), (2, 2), (3, 2))  # workers, servers
WORKERS = (1, 2, 3)  # of the jobs that the model is held against, on one server
BATCHES = {"attention_cluster_flash_mnist": 64, "attention_lstm_flash_mnist": 64, "attention_cluster_youtube8m": 48}
# Videos of a step alone, besides the jobs' shares: a step of AttentionLSTM takes seconds.
ALONE = {"attention_cluster_youtube8m": [16, 128], "attention_lstm_youtube8m": [2, 8]}
# Videos of one length each, YouTube-8M's mean: AttentionLSTM takes all frames, and its time must not vary by the batch.
YOUTUBE8M = replace(synthetic.youtube8m(), shortest=210, longest=210)
FLASH_MNIST = synthetic.Shape({"image": 50}, np.ones(1024), None, shortest=25, longest=25)
RESTARTS = 2  # on a busy machine ps-lite's scheduler now and then dies while its peers connect

SMALL_KEYS = 30  # arrays of 256 floats at once

Measured = dict[str, Any]


def measure(quick: bool) -> Measured:
    """Measure; ``quick`` is small nets alone and few steps, to see that it works.

    Raises:
        UserError: if a part fails.
    """
    batches = {name: size for name, size in BATCHES.items() if not (quick and "youtube8m" in name)}
    cases = {name: [-(-size // workers) for workers in WORKERS] for name, size in batches.items()}
    for name, sizes in {} if quick else ALONE.items():
        cases[name] = [*cases.get(name, []), *sizes]
    small_and_large = [250_000, 1_000_000] if quick else [250_000, 1_000_000, 4_000_000, 16_000_000]
    rounds = 1 if quick else 5
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(cases) + len(STORES) + 3 * len(batches)) as bar:
        data = _write_data(Path(folder), quick)
        alone: list[Measured] = []
        stores, jobs = [], []
        for name, sizes in cases.items():  # a process each, as in the jobs
            bar.set_description(f"{name} alone")
            asked = [[name, str(data[registry.load(name).data.dataset]), sorted(set(sizes))]]
            alone += _ask(Path(folder), None, what="compute", cases=asked, rounds=rounds)
            bar.update()
        for workers, servers in STORES:
            bar.set_description(f"kvstore, {workers} workers, {servers} servers")
            asked_sizes: Measured = {"small_keys": SMALL_KEYS, "sizes": small_and_large, "rounds": 1 + rounds}
            stores.append(_ask(Path(folder), (workers, servers), what="store", **asked_sizes))
            bar.update()
        for workers in WORKERS:
            for name, size in batches.items():
                bar.set_description(f"{name}, {workers} workers")
                steps = 3 if quick else 8 if "youtube8m" in name else 30
                where = str(data[registry.load(name).data.dataset])
                job = {"entry": name, "data": where, "batch_size": size, "steps": steps, "first": 2}
                answer = _ask(Path(folder), (workers, 1), what="steps", **job)
                jobs.append({"entry": name, "batch_size": size, "workers": workers, "servers": 1, **answer})
                load.append(os.getloadavg()[0])
                bar.update()
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load": [min(load), statistics.median(load), max(load)],
        "alone": alone,
        "stores": stores,
        "jobs": jobs,
    }


def _write_data(folder: Path, quick: bool) -> dict[str, Path]:
    shapes = {"flash_mnist": (FLASH_MNIST, 512)}
    if not quick:
        shapes["youtube8m"] = (YOUTUBE8M, 256)
    for name, (shape, videos) in shapes.items():
        synthetic.write_split(folder / name, shape, "train", videos, seed=0)
    return {name: folder / name for name in shapes}


def _ask(folder: Path, job: tuple[int, int] | None, **given: Any) -> Any:
    """What `benchmarks.scaling.worker` answers: in a process, or in a ``job`` of (workers, servers)."""
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    own = ["-W", "ignore", "-m", "benchmarks.scaling.worker", json.dumps({**given, "answer": str(answer)})]
    command = [sys.executable, *own]
    if job is not None:
        sizes = ["--workers", str(job[0]), "--servers", str(job[1]), "--restarts", str(RESTARTS)]
        command = [sys.executable, "-m", "experiments.launch", *sizes, "--", "python", *own]
    # One thread each: waiting for one another's, threads on a busy machine spend several times the time of their work.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = child.start(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = process.communicate()
    finally:
        if process.poll() is None:
            child.stop(process)
    if process.returncode or not answer.exists():
        last = [line for line in said.decode(errors="replace").splitlines() if line.strip()][-1:]
        raise UserError(f"benchmarks/scaling/worker.py, {given['what']}: {last[0] if last else process.returncode}")
    return json.loads(answer.read_text())


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "a processor unnamed")
