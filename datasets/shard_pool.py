"""Makes all data files of a conversion, by processes of this machine or of others, with a progress bar."""

from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from datasets import hdf5, hdf5_output, output_folder
from datasets.record import BadRecord
from datasets.shard_maker import Made, Task


class Pool(Protocol):
    """Makes data files, several at once."""

    def submit(self, task: Task) -> Future[Made]:
        """Have ``task`` done."""

    def counted(self) -> tuple[int, int]:
        """Bytes of sources that were read so far, and videos found in them."""


def run(tasks: list[Task], out: Path, pool: Pool) -> tuple[int, list[BadRecord]]:
    """Make all files, and let each into ``out`` after those before it.

    Only in this order can it be told which of two videos of one id is the second, whatever the processes' pace; and a
    set of files that is complete is free of them.

    Returns:
        Number of videos, and what was left out.
    """
    made = [output_folder.is_made(out / task.path.name, task) for task in tasks]
    taken: set[str] = set()
    bad: list[BadRecord] = []
    with _Bar(tasks, made, pool) as bar:
        futures = [None if done else pool.submit(task) for task, done in zip(tasks, made, strict=True)]
        for task, future in zip(tasks, futures, strict=True):
            path = out / task.path.name
            ids, left_out = bar.wait_for(future) if future else (hdf5.read(path).ids, [])
            twice = taken.intersection(ids)
            if twice:
                future = pool.submit(replace(task, taken=frozenset(twice)))
                ids, left_out = bar.wait_for(future)
            if future:
                hdf5_output.sync(task.path)
                task.path.replace(path)
            taken.update(ids)
            bad += left_out
    return len(taken), bad


class _Bar:
    """A progress bar in bytes, with a count of videos."""

    def __init__(self, tasks: list[Task], made: list[bool], pool: Pool):
        sizes = [sum(span.size for span in task.spans) for task in tasks]
        there = sum(size for size, done in zip(sizes, made, strict=True) if done)
        self._pool = pool
        self._bar = tqdm(total=sum(sizes), initial=there, unit="B", unit_scale=True, disable=None)
        self._seen = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def wait_for(self, future: Future[Made]) -> Made:
        """What ``future`` returns, with the bar moving until then."""
        done = False
        while not done:
            done = bool(wait([future], timeout=0.2).done)
            size, videos = self._pool.counted()
            self._bar.set_postfix_str(f"{videos:,} videos", refresh=False)
            self._bar.update(size - self._seen)
            self._seen = size
        return future.result()
