"""A worker of a job that is not the first: it computes as the first one says, and records nothing."""

from collections.abc import Mapping
from typing import Any

from experiments import configuration, subnormals


def follow(updates: Mapping[str, Any]) -> None:
    """Train, or evaluate, with the other workers of the job.

    Command and configuration come from the first one, so that they are the same for all, and a run of its disk can be
    gone on with. What belongs to the machine is this machine's own.

    Args:
        updates: what the command line sets; of it ``runtime`` counts here.
    """
    runtime = configuration.machine(updates)
    subnormals.flush_to_zero()
    from experiments import devices, tasks  # imports MXNet

    with devices.join(runtime, devices.contexts(runtime["devices"])) as job:
        command, config = job.share(None)
        config["runtime"] = runtime
        if command == "train":
            tasks.train(config, None, lambda *_: None, {}, job)
        else:
            tasks.evaluate(config, {}, job)
