"""Makes all data files of a conversion, by several processes, with a progress bar."""

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from datasets import hdf5, hdf5_output, output_folder, shard_maker
from datasets.errors import DataError
from datasets.record import BadRecord
from datasets.shard_maker import Progress, Task


def run(tasks: list[Task], out: Path, workers: int) -> tuple[int, list[BadRecord]]:
    """Make all files, and let each into ``out`` after those before it.

    Only in this order can it be told which of two videos of one id is the second, whatever the processes' pace; and a
    set of files that is complete is free of them.

    Returns:
        Number of videos, and what was left out.
    """
    made = [output_folder.is_made(out / task.path.name, task) for task in tasks]
    context = multiprocessing.get_context("spawn")
    progress = Progress(context)
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, shard_maker.start_process, (progress,))
    taken: set[str] = set()
    bad: list[BadRecord] = []
    try:
        with _Bar(tasks, made, progress) as bar:
            futures = [
                None if done else pool.submit(shard_maker.make, task) for task, done in zip(tasks, made, strict=True)
            ]
            for task, future in zip(tasks, futures, strict=True):
                path = out / task.path.name
                ids, left_out = bar.wait_for(future) if future else (hdf5.read(path).ids, [])
                twice = taken.intersection(ids)
                if twice:
                    future = pool.submit(shard_maker.make, replace(task, taken=frozenset(twice)))
                    ids, left_out = bar.wait_for(future)
                if future:
                    hdf5_output.sync(task.path)
                    task.path.replace(path)
                taken.update(ids)
                bad += left_out
    except (BrokenProcessPool, MemoryError) as error:
        raise DataError("a process ended for want of memory, or was killed; try fewer --workers") from error
    finally:
        progress.stopped.value = 1
        pool.shutdown(cancel_futures=True)
    return len(taken), bad


class _Bar:
    """A progress bar in bytes, with a count of videos."""

    def __init__(self, tasks: list[Task], made: list[bool], progress: Progress):
        sizes = [sum(span.size for span in task.spans) for task in tasks]
        there = sum(size for size, done in zip(sizes, made, strict=True) if done)
        self._progress = progress
        self._bar = tqdm(total=sum(sizes), initial=there, unit="B", unit_scale=True, disable=None)
        self._seen = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def wait_for(self, future: Future) -> tuple[list[str], list[BadRecord]]:
        """What ``future`` returns, with the bar moving until then."""
        done = False
        while not done:
            done = bool(wait([future], timeout=0.2).done)
            self._bar.set_postfix_str(f"{self._progress.videos.value:,} videos", refresh=False)
            self._bar.update(self._progress.bytes.value - self._seen)
            self._seen = self._progress.bytes.value
        return future.result()
