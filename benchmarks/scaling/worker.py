"""What the processes of the benchmark run: ``python -m benchmarks.scaling.worker JSON``; worker 0 writes its answer."""

import itertools
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import mxnet as mx

from datasets.loader import Batch, Loader
from datasets.video_dataset import VideoDataset
from experiments import registry, subnormals
from experiments.collective import Collective
from experiments.optimization import make_trainer
from experiments.training import LOSSES, update
from gluon_models import graphs, zoo
from gluon_models.dequantize import Dequantized

FIRST_KEY = 10**7  # of arrays that no parameter is
SMALL = 256  # floats
LONGEST = 10.0  # seconds of a measurement, after which no further round begins


class Session:
    """A net that can take steps on random videos in memory.

    Args:
        entry: the experiment.
        folder: of its data.
        job: the workers.
    """

    def __init__(self, entry: str, folder: Path, job: Collective):
        arguments, self.data, self.recipe = registry.split(registry.flatten(registry.load(entry)))
        self.dataset = VideoDataset.open(folder, "train")
        self.job = job
        model = zoo.create(
            registry.load(entry).model["name"],
            feature_dims=self.dataset.feature_dims,
            num_classes=self.dataset.num_classes,
            **arguments,
        )
        model.initialize()
        self.keys = [parameter.data().size for parameter in model.collect_params().values()]
        ranges = {name: self.dataset.ranges.get(name) for name in self.dataset.feature_dims}
        self._net = Dequantized(model, ranges) if self.dataset.ranges else model
        self._net.hybridize(static_alloc=True, static_shape=True)
        self._trainer = make_trainer(model, self.recipe, job)
        self._loss_of = LOSSES[self.recipe.loss][0]()
        self._loss_of.hybridize(static_alloc=True)

    def loader(self, batch_size: int) -> Loader:
        """As a run has it, with runtime.workers of its default."""
        share = (self.job.rank, self.job.workers)
        return Loader(self.dataset, batch_size, self.data.seg_num, training=True, workers=2, share=share)

    def take_step(self, batch: Batch) -> None:
        """One step of training, to its end."""
        update(self._net, self._loss_of, self._trainer, batch, [mx.cpu()], self.recipe.loss_scale)
        mx.nd.waitall()

    def end(self) -> None:
        """Let go of the net, so that another may train."""
        graphs.release(self._net)


def compute(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each case (experiment, data folder, sizes): its keys, of each size seconds and work of a step, the loader."""
    answers = []
    for entry, folder, sizes in given["cases"]:
        session = Session(entry, Path(folder), Collective("device"))
        found = []
        for size in sizes:
            batch = next(iter(session.loader(size).epoch()))
            batch = replace(batch, features=[frames.copy() for frames in batch.features])
            session.take_step(batch)
            measured, begin = [], time.perf_counter()
            while len(measured) < given["rounds"] and (time.perf_counter() - begin < LONGEST or not measured):
                measured.append(_timed(session.take_step, batch))
            found.append([size, *map(statistics.median, zip(*measured, strict=True))])
        batches = session.loader(64)
        seconds, work = _timed(lambda batches: [len(own.indices) for own in batches.epoch()], batches)
        videos = len(batches.dataset)
        loader = {"seconds": seconds / videos, "work": work / videos}
        answers.append({"entry": entry, "keys": session.keys, "steps": found, "loader": loader})
        session.end()
    return answers


def _timed(act: Callable[[Any], object], argument: Any) -> tuple[float, float]:
    """An act's seconds, and this process's processor seconds meanwhile."""
    begin, before = time.perf_counter(), _own_work()
    act(argument)
    return time.perf_counter() - begin, _own_work() - before


def steps(given: dict[str, Any]) -> dict[str, Any]:
    """Of a step of a job, as a run takes it: seconds, work of all its processes, and cores that others left idle."""
    with Collective("dist_sync") as job:
        session = Session(given["entry"], Path(given["data"]), job)
        batches = _endless(session.loader(given["batch_size"]))
        for _ in range(given["first"]):  # these make memory
            session.take_step(next(batches))
        job.kvstore._barrier()
        own = [*_processes("worker"), *_processes("server")]
        begin, before, idle = time.perf_counter(), sum(map(_work, own)), _idle()
        for _ in range(given["steps"]):
            session.take_step(next(batches))
        seconds, work = time.perf_counter() - begin, sum(map(_work, own)) - before
        idle = _idle() - idle
        job.kvstore._barrier()
        batches.close()
    count = given["steps"]
    return {"seconds": seconds / count, "work": work / count, "idle": idle / seconds}


def _endless(loader: Loader) -> Generator[Batch, None, None]:
    """Whole batches of one epoch after the other."""
    for epoch in itertools.count():
        for batch in loader.epoch(epoch):
            if batch.total == loader.batch_size:
                yield batch


def store(given: dict[str, Any]) -> dict[str, Any]:
    """The kvstore alone: of each size seconds to push and pull, and the work of a worker and of the servers."""
    with Collective("dist_sync") as job:
        servers = _processes("server")
        number, found = FIRST_KEY, []
        for floats, count in [(SMALL, given["small_keys"]), *((floats, 1) for floats in given["sizes"])]:
            arrays = {number + place: mx.nd.ones((floats,)) for place in range(count)}
            number += count
            for key, array in arrays.items():
                job.kvstore.init(key, array)
            seconds = []
            rounds = given["rounds"] * (1 if floats * count >= 10**6 else 10)
            for turn in range(rounds + 1):
                if turn == 1:  # the first one makes memory
                    before, work = [_work(pid) for pid in servers], _own_work()
                job.kvstore._barrier()
                begin = time.perf_counter()
                for key, array in arrays.items():
                    job.kvstore.pushpull(key, array, out=array, priority=-key)
                mx.nd.waitall()
                seconds.append(time.perf_counter() - begin)
            job.kvstore._barrier()
            spent = sum(_work(pid) - own for pid, own in zip(servers, before, strict=True))
            found.append(
                {
                    "floats": floats,
                    "keys": count,
                    "seconds": statistics.median(seconds[1:]),
                    "worker_work": (_own_work() - work) / rounds,
                    "server_work": spent / rounds / job.workers,  # for one worker's gradients
                }
            )
    return {"workers": job.workers, "servers": len(servers), "sizes": found}


def _own_work() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _work(pid: int) -> float:
    """Processor seconds of a process's threads, to the nanosecond."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _idle() -> float:
    """Seconds that this machine's cores had nothing to do, all together."""
    fields = Path("/proc/stat").read_text().split("\n")[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def _processes(role: str) -> list[int]:
    """Of this job, on this machine: those of ``role``."""
    wanted = {f"DMLC_ROLE={role}", f"DMLC_PS_ROOT_PORT={os.environ['DMLC_PS_ROOT_PORT']}"}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted <= set((entry / "environ").read_bytes().decode(errors="replace").split("\0")):
                found.append(int(entry.name))
    return found


def main(words: list[str]) -> None:
    """Do what is asked, and write the answer where it is wanted."""
    given = json.loads(words[0])
    subnormals.flush_to_zero()
    answer = {"compute": compute, "steps": steps, "store": store}[given["what"]](given)
    if os.environ.get("EXPERIMENTS_WORKER", "0") == "0":
        Path(given["answer"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
