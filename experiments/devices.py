"""The devices that ``runtime`` names, and the kvstore between them, checked before anything is computed."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import mxnet as mx

from experiments import compute_capability, worker
from experiments.collective import Collective
from experiments.errors import UserError


def contexts(names: str) -> list[mx.Context]:
    """The contexts that ``names`` lists: ``cpu``, ``gpu``, ``gpu:0``, ``gpu:0-7``, or ``auto`` for all GPUs, else cpu.

    Raises:
        UserError: for another form, or a device that is not there or that MXNet has no code for.
    """
    if names == "auto":
        refused = {number: compute_capability.refusal(number) for number in range(_num_gpus())}
        for line in filter(None, refused.values()):
            print(f"runtime.devices=auto: {line}", file=sys.stderr)
        return [mx.gpu(number) for number, line in refused.items() if line is None] or [mx.cpu()]
    match = re.fullmatch(r"(cpu|gpu)(?::(\d+)(?:-(\d+))?)?", names)
    if match is None or int(match[3] or match[2] or 0) < int(match[2] or 0):
        raise UserError(f"runtime.devices={names}: not of the form auto, cpu, gpu:0 or gpu:0-7")
    first = int(match[2] or 0)
    numbers = range(first, int(match[3] or first) + 1)
    if match[1] == "gpu":
        if not set(numbers) <= set(range(_num_gpus())):
            raise UserError(f"runtime.devices={names}: MXNet sees {_num_gpus()} GPUs here")
        for number in numbers:
            if reason := compute_capability.refusal(number):
                raise UserError(f"runtime.devices={names}: {reason}")
    return [mx.Context(match[1], number) for number in numbers]


def join(runtime: Mapping[str, Any], own: Sequence[mx.Context]) -> Collective:
    """Meet the other workers of the job; ``own`` are this one's devices. Waits until all are there.

    Raises:
        UserError: if the kvstore that ``runtime`` names cannot do it.
    """
    name = kvstore(runtime["kvstore"], own)
    compression = runtime["gradient_compression"]
    if compression is None:
        return Collective(name)
    is_distributed = name is not None and name.startswith("dist_")
    if not (is_distributed or (name == "device" and len(own) > 1)):
        raise UserError(
            f"runtime.gradient_compression={compression}: only between machines (dist_*) or several devices (device)"
        )
    kind, _, threshold = compression.partition(":")
    return Collective(name, {"type": kind, "threshold": float(threshold or 0.5)})


def kvstore(name: str | None, own: Sequence[mx.Context]) -> str | None:
    """The kvstore ``name`` in MXNet's words, where it can serve this job and the devices ``own``.

    Raises:
        UserError: if it cannot.
    """
    _, workers = worker.share()
    has_gpus = own[0].device_type == "gpu"
    if name == "auto":
        name = "device" if workers == 1 else "dist_device_sync" if has_gpus else "dist_sync"
    where = f"runtime.kvstore={name}"
    if name is None and (workers > 1 or len(own) > 1):
        raise UserError(f"{where}: {max(workers, len(own))} copies of the net would drift apart; take auto")
    if name == "nccl" and not (has_gpus and mx.runtime.Features().is_enabled("NCCL")):
        raise UserError(f"{where}: it is for NVIDIA's GPUs, in a build of MXNet that has it; take device")
    if name is not None and name.startswith("dist_"):
        if os.environ.get("DMLC_ROLE") != "worker":
            raise UserError(f"{where}: no other machine is known here; start it by python -m experiments.launch")
    elif workers > 1:
        raise UserError(f"{where}: each of the {workers} workers would train alone; take auto or dist_sync")
    return name


def _num_gpus() -> int:
    try:
        return mx.context.num_gpus()
    except mx.MXNetError:  # a build for GPUs, and a driver that cannot serve it
        return 0
