"""What every worker of a job runs in test_training_by_workers.py; its arguments come as JSON."""

import json
import os
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from test_devices import Session, validation

from experiments import training
from experiments.collective import Collective

given = json.loads(sys.argv[1])
folder, place = Path(given["folder"]), Path(given["place"])
with Collective(given["kvstore"], given.get("compression")) as job:
    checkpoints = place / "checkpoints" if job.is_first else None
    session = Session(folder, checkpoints, given["experiment"], [mx.cpu()], job=job, **given.get("changes", {}))
    os.environ["EXPERIMENTS_WORKERS"], os.environ["EXPERIMENTS_WORKER"] = "1", "0"
    alone = training.evaluate(session.net, validation(folder), "sigmoid_cross_entropy", [mx.cpu()], Collective())
    assert session.metrics == alone or (not job.adds and not job.is_first), (session.metrics, alone)
    np.savez(place / f"{job.rank}.npz", **session.parameters())
    (place / f"{job.rank}.json").write_text(json.dumps(session.losses))
