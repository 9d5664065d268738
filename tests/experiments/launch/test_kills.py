"""Random deaths at random times: LAUNCH_KILLS says how many. Each ends the whole job soon, and says who died."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest

from experiments.journal import Journal, journals

pytestmark = pytest.mark.long

SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)
NOTICED_SECONDS = 30.0


@pytest.mark.parametrize("number", range(int(os.environ.get("LAUNCH_KILLS", "6"))))
def test_a_random_death(launch, training, machine, tmp_path, number):
    chance = random.Random(number)
    own = launch("--workers", "2", "--servers", "2", *training(tmp_path, "epochs=5000"))
    role = chance.choice(["worker0", "worker1", "server0", "server1", "scheduler0"])
    kind = chance.choice(SIGNALS)
    victim, whose = (own.agent_of, "the agent of ") if chance.random() < 0.25 else (own.role, "")
    pids: list[int] = []

    def there() -> bool:
        with suppress(StopIteration, OSError):
            pids.append(victim(role))
        return bool(pids)

    machine.wait_until(there)
    time.sleep(chance.uniform(0, 12))  # into the imports, the start of the run, or training
    os.kill(pids[0], kind)
    began = time.monotonic()
    assert own.wait(NOTICED_SECONDS) == 1, own.said
    took = time.monotonic() - began
    status = [Journal(found.folder).read("state")["status"] for found in journals(tmp_path / "runs")]
    print(f"\nkill {number}: {kind.name} to {whose}{role}, {took:.1f} s, {status}: {own.endings}")
    (line,) = own.endings
    label = "scheduler" if role == "scheduler0" else f"{role[:-1]} {role[-1]}"
    assert line.startswith(f"launch: {label}: "), own.said
    # SIGTERM to the process of the run itself is a request, which it records.
    asked = (kind, role, whose) == (signal.SIGTERM, "worker0", "")
    assert status in ([], ["FAILED"], *([["INTERRUPTED"]] if asked else []))
