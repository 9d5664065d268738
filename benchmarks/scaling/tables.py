"""The tables of docs/scaling.md: what was measured, and what the model makes of it."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.scaling.measure import SMALL_KEYS, Measured
from benchmarks.scaling.model import (
    BYTES,
    Parts,
    Points,
    enough_servers,
    saturation,
    shared_step,
    shared_work,
    step,
)
from experiments import registry

WORKERS = (1, 2, 4, 8, 16, 32, 64)
LINKS = {"1 Gbit/s": 1e9 / 8, "10 Gbit/s": 1e10 / 8, "25 Gbit/s": 2.5e10 / 8, "loopback": math.inf}
SPEEDUPS = {1: "as measured", 16: "16 times as fast", 100: "100 times as fast"}
TITLES = {"attention_cluster_youtube8m": "Attention Cluster", "attention_lstm_youtube8m": "AttentionLSTM"}


def parts_of(measured: Measured, name: str, batch_size: int) -> Parts:
    """The parts of the net of experiment ``name``, for steps of ``batch_size`` videos."""
    own = next(own for own in measured["alone"] if own["entry"] == name)
    return Parts(
        batch_size=batch_size,
        keys=own["keys"],
        compute=[(size, work) for size, _, work in own["steps"]],
        worker=_points(measured, "worker_work"),
        server=_points(measured, "server_work"),
        loader=own["loader"]["work"],
    )


def published(measured: Measured) -> dict[str, Parts]:
    """By title: the nets of published size; of a quick measurement, those that there are."""
    names = [own["entry"] for own in measured["alone"]]
    names = [name for name in names if name in TITLES] or names
    return {TITLES.get(name, name): parts_of(measured, name, registry.load(name).data.batch_size) for name in names}


def _points(measured: Measured, what: str) -> Points:
    """(bytes, seconds) of one array: of jobs with one server, where no array is cut, medians over the jobs."""
    found: dict[int, list[float]] = {}
    for job in measured["stores"]:
        for size in job["sizes"] if job["servers"] == 1 else []:
            found.setdefault(BYTES * size["floats"], []).append(size[what] / size["keys"])
    return [(size, statistics.median(works)) for size, works in sorted(found.items())]


def compute_table(measured: Measured) -> str:
    """Steps alone."""
    rows = []
    for own in measured["alone"]:
        for size, seconds, work in own["steps"]:
            rows.append([f"`{own['entry']}`", size, _ms(work), _ms(seconds), f"{1 / own['loader']['work']:,.0f}"])
    heads = ["net", "videos", "step, processor ms", "by the clock, ms", "loader, videos per processor second"]
    return _table(heads, rows)


def store_table(measured: Measured) -> str:
    """The kvstore alone."""
    rows = []
    for job in measured["stores"]:
        for size in job["sizes"]:
            millions = BYTES * size["floats"] * size["keys"] / 1e6
            what = f"{SMALL_KEYS} of 1 kB" if size["keys"] > 1 else f"one of {millions:,.0f} MB"
            works = [size[name] for name in ("worker_work", "server_work")]
            rates = [f"{millions / 1e3 / work:.2f}" if size["keys"] == 1 and work else "-" for work in works]
            numbers = [_ms(work) for work in (size["seconds"], *works)]
            rows.append([job["workers"], job["servers"], what, *numbers, *rates])
    heads = ["W", "S", "arrays", "by the clock, ms", "a worker, processor ms", "servers for it, processor ms"]
    return _table([*heads, "worker, GB/s", "server, GB/s"], rows)


def server_ns(measured: Measured) -> tuple[float, float, int]:
    """A server's nanoseconds for a byte that it copies and for one that it adds; of an array of so many bytes."""
    jobs = [(job["workers"], job["sizes"][-1]) for job in measured["stores"] if job["servers"] == 1]
    size = BYTES * jobs[0][1]["floats"]
    (_, one), (workers, each) = [(count, 1e9 * own["server_work"] / size) for count, own in (jobs[0], jobs[-1])]
    return one, (workers * each - one) / (workers - 1), size


def check_rows(measured: Measured) -> list[dict[str, Any]]:
    """Of each real job what was predicted and measured."""
    rows = []
    for job in measured["jobs"]:
        parts = parts_of(measured, job["entry"], job["batch_size"])
        cores = min(measured["cores"], job["work"] / job["seconds"] + job["idle"])
        work = shared_work(parts, job["workers"], job["servers"])
        seconds = shared_step(parts, job["workers"], job["servers"], cores)
        rows.append({**job, "cores": cores, "predicted_work": work, "predicted_seconds": seconds})
    return rows


def check_table(measured: Measured) -> str:
    """Real jobs beside the model."""
    rows = []
    for own in check_rows(measured):
        pairs = [(own["predicted_work"], own["work"]), (own["predicted_seconds"], own["seconds"])]
        numbers = [f"{_ms(one)} | {_ms(other)} | {one / other:.2f}" for one, other in pairs]
        rows.append([f"`{own['entry']}`", own["workers"], numbers[0], f"{own['cores']:.2f}", numbers[1]])
    heads = ["net", "W", "work predicted, ms", "measured", "ratio", "cores had", "step predicted, ms", "measured"]
    return _table([*heads, "ratio"], rows)


def step_table(parts: Parts, bandwidth: float) -> str:
    """Step time, videos a second and efficiency over workers and servers."""
    alone = step(parts, 1, 1, math.inf)
    one = max(alone.compute, alone.loader)  # a process that trains alone exchanges nothing
    rows = []
    for workers in WORKERS:
        cells = []
        for servers in (1, max(1, workers // 2), workers):
            seconds = step(parts, workers, servers, bandwidth).seconds
            cells += [_seconds(seconds), f"{parts.batch_size / seconds:,.1f}", f"{one / seconds / workers:.0%}"]
        rows.append([workers, *cells])
    heads = [f"{what}, S={servers}" for servers in ("1", "W/2", "W") for what in ("step", "videos/s", "efficiency")]
    return _table(["W", *heads], rows)


def saturation_table(nets: dict[str, Parts]) -> str:
    """Where more workers make a step longer."""
    rows = []
    for title, parts in nets.items():
        for speedup, words in SPEEDUPS.items():
            cells = [
                " / ".join(_workers(saturation(parts, servers, link, speedup), parts) for servers in (1, 4))
                for link in LINKS.values()
            ]
            rows.append([title, words, *cells])
    return _table(["net", "workers compute", *(f"{link}, S = 1 / 4" for link in LINKS)], rows)


def servers_table(nets: dict[str, Parts]) -> str:
    """How many servers are enough."""
    rows = []
    for title, parts in nets.items():
        for speedup, words in SPEEDUPS.items():
            for name, link in LINKS.items():
                cells = [enough_servers(parts, workers, link, speedup) for workers in WORKERS]
                rows.append([title, words, name, *cells])
    return _table(["net", "workers compute", "link", *(f"W={workers}" for workers in WORKERS)], rows)


def _workers(number: int, parts: Parts) -> str:
    return f"{number:,}" if number < parts.batch_size else "never"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.01 else f"{1e3 * seconds:.2f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{seconds:.2f} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---:" if number else "---" for number in range(len(heads))], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
