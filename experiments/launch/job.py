"""The roles of a job: where each runs, what it is told by its environment, and how its command is started again."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass

from experiments import worker
from experiments.errors import UserError
from experiments.launch.hosts import Host

SCHEDULER, SERVER, WORKER = "scheduler", "server", "worker"
_FORWARDED = ("MXNET_", "OMP_", "PS_", "CUDA_", "NCCL_", "SACRED_MONGO_", "RUN_STORE_")


@dataclass(frozen=True)
class Role:
    """One process of a job."""

    kind: str
    number: int
    host: Host

    @property
    def label(self) -> str:
        """What its output is labelled by."""
        return self.kind if self.kind == SCHEDULER else f"{self.kind} {self.number}"

    def __str__(self) -> str:
        return names([self])


def names(some: Sequence[Role]) -> str:
    """Who they are and where, in words."""
    by_host: dict[Host, list[str]] = {}
    for role in some:
        by_host.setdefault(role.host, []).append(role.label)
    return ", ".join(
        ", ".join(labels) + ("" if host.is_local else f" on {host.name}") for host, labels in by_host.items()
    )


def roles(hosts: Sequence[Host], servers: int, workers: int) -> list[Role]:
    """Who runs where: the scheduler on the first machine, servers and workers on all in turn.

    Raises:
        UserError: if the machines do not take so many workers.
    """
    found = [Role(SCHEDULER, 0, hosts[0])]
    found += [Role(SERVER, number, hosts[number % len(hosts)]) for number in range(servers)]
    most = [workers if host.workers is None else host.workers for host in hosts]
    places = [host for turn in range(workers) for host, own in zip(hosts, most, strict=True) if turn < own]
    if len(places) < workers:
        raise UserError(f"--workers {workers}: the machines take {len(places)} (workers=N in the hosts file)")
    return found + [Role(WORKER, number, host) for number, host in enumerate(places[:workers])]


def command(role: Role, given: Sequence[str]) -> list[str]:
    """What ``role`` runs: a worker the command that was given, whose ``python`` is the machine's; others MXNet."""
    if role.kind != WORKER:
        return [role.host.python, "-c", "import mxnet"]
    return [role.host.python if given[0] == "python" else given[0], *given[1:]]


def forwarded() -> dict[str, str]:
    """What a person's environment says that must reach processes on other machines too."""
    return {key: value for key, value in os.environ.items() if key.startswith(_FORWARDED)}


def environment(role: Role, of_all: Sequence[Role], port: int) -> dict[str, str]:
    """What ``role`` is told by its environment, besides what it has on its machine.

    Args:
        role: whose it is.
        of_all: all roles of the job.
        port: of the scheduler.
    """
    by_kind = {kind: [other for other in of_all if other.kind == kind] for kind in (SCHEDULER, SERVER, WORKER)}
    told = {
        "DMLC_ROLE": role.kind,
        "DMLC_PS_ROOT_URI": by_kind[SCHEDULER][0].host.address,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_SERVER": str(len(by_kind[SERVER])),
        "DMLC_NUM_WORKER": str(len(by_kind[WORKER])),
        "DMLC_NODE_HOST": role.host.address,
        "PYTHONUNBUFFERED": "1",  # what it prints is seen when it prints it
    }
    if role.kind == WORKER:
        told |= {worker.RANK: str(role.number), worker.WORKERS: str(len(by_kind[WORKER]))}
    return told


def resumed(given: Sequence[str], run_id: str) -> list[str]:
    """The command of a training run, to go on with run ``run_id``: of its settings those that a resumed run may have.

    Args:
        given: the command as it was first started: ``... run.py ... with KEY=VALUE ... [OPTIONS]``.
        run_id: of the run.
    """
    words = list(given)
    place = words.index("with") if "with" in words else len(words)
    updates = list(itertools.takewhile(lambda word: not word.startswith("-"), words[place + 1 :]))
    kept = [word for word in updates if word.startswith(("epochs=", "runtime."))]
    return [*words[:place], "with", *kept, f"resume={run_id}", *words[place + 1 + len(updates) :]]
