"""A worker that does what training does to its peers: ``adding.py STEPS [RUNS_DIR] [with resume=ID]``.

All add to one number on the servers, step by step; with ALONE in the environment they only wait, and MXNet is not
imported. With RUNS_DIR the first records a run there, as ``RunLog`` does.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from experiments import journal, worker
from experiments.journal import Journal


def main(steps: int, runs_dir: Path | None, resume: str | None) -> None:
    rank, _ = worker.share()
    if runs_dir is None or rank > 0:
        return add(steps)
    run = Journal(runs_dir / resume) if resume else Journal.create(runs_dir, None)
    assert run.take()
    worker.tell_run(run.folder, "train")
    if not resume:
        run.write("run", {"id": run.run_id, "store": "nowhere"})
    begun = run.read("state").get("begun", 0) + 1
    state = {"heartbeat": journal.now(), "parts": [journal.now()], "begun": begun}
    run.write("state", {**state, "status": journal.RUNNING})
    end = journal.FAILED
    try:
        add(steps)
        end = journal.COMPLETED
    except KeyboardInterrupt:
        end = journal.INTERRUPTED
        raise
    finally:
        run.write("state", {**state, "status": end})
        run.close()


def add(steps: int) -> None:
    rank, workers = worker.share()
    if "ALONE" not in os.environ:
        import mxnet as mx

        store = mx.kv.create("dist_sync")
        ones, sums = mx.nd.ones((4,)), mx.nd.zeros((4,))
        store.init(0, ones)
    print(f"worker {rank} adds")
    for step in range(steps):
        if "ALONE" not in os.environ:
            store.pushpull(0, ones * (rank + 1), out=sums)
            assert sums.asnumpy()[0] == workers * (workers + 1) // 2
        if os.environ.get("FAIL_AT") == f"{rank} {step}":
            raise ValueError("no more")
        print(f"\rstep {step}", end="")
        time.sleep(0.05)
    print("\nadded")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if "=" not in word and word != "with"]
    resumed = [word.removeprefix("resume=") for word in sys.argv[1:] if word.startswith("resume=")]
    main(int(words[0]), Path(words[1]) if words[1:] else None, resumed[0] if resumed else None)
