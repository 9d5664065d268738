"""Jobs on several machines over ssh: network namespaces, each with its own address, sshd and processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.journal import Journal
from tests.experiments.launch import machines

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(machines.reason_against() is not None, reason=str(machines.reason_against())),
]
# The launcher sees its own machine's processes alone, as it would elsewhere.
ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m", "experiments.launch")


@pytest.fixture
def net(tmp_path):
    own = machines.Machines(tmp_path / "machines", 2)
    yield own
    own.remove()


@pytest.fixture
def start(launch, net, adding, tmp_path):
    """Starts a job of a server and a worker on each of the machines."""

    def start(names, *options, steps=2000, **more):
        (tmp_path / "hosts").write_text("".join(f"{name}\n" for name in names))
        words = ("--hosts", str(tmp_path / "hosts"), "--workers", str(len(names)), "--servers", str(len(names)))
        command = ("python", adding, str(steps), str(tmp_path / "runs"), "with")
        return launch(*words, "--ssh", net.ssh, *options, "--", *command, launch=ALONE, **more)

    (tmp_path / "runs").mkdir()
    return start


def test_three_machines(start, net, tmp_path):
    """The first is this one; its address is the one that the others see."""
    own = start(["localhost", *net.addresses], steps=100)
    own.wait_for("worker 2 adds")
    process = Path(f"/proc/{own.role('worker0')}")
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    inodes = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
    listens = {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    assert listens == {"014DD50A"}  # 10.213.77.1, and no other
    assert own.wait() == 0, own.said
    assert sum(line.endswith("added") for line in own.lines) == 3
    assert Journal(tmp_path / "runs" / "1").read("state")["status"] == "COMPLETED"


@pytest.mark.parametrize("number", [0, 1])
def test_a_link_that_is_cut_for_twenty_seconds(start, net, tmp_path, number):
    """Machine 0 has worker 0, which records the run: there it is marked by whoever is left there."""
    own = start([*net.addresses, "localhost"])
    own.wait_for("worker 2 adds")
    net.cut(number)
    began = time.monotonic()
    while own.process.poll() is None and time.monotonic() < began + 20:
        time.sleep(0.05)
    net.mend(number)
    assert own.wait(30) == 1, own.said
    assert time.monotonic() - began < 30
    (line,) = own.endings
    roles = f"server {number}, worker {number} on {net.addresses[number]}"
    assert line.startswith(f"launch: {'scheduler, ' * (number == 0)}{roles}: not heard for 12 seconds; run 1 is ")
    assert Journal(tmp_path / "runs" / "1").read("state")["status"] == "FAILED"


def test_it_starts_again_when_the_link_is_back(start, net, tmp_path):
    own = start([*net.addresses, "localhost"], "--restarts", "3", steps=150)
    own.wait_for("worker 2 adds")
    net.cut(0)
    time.sleep(20)
    net.mend(0)
    assert own.wait(120) == 0, own.said
    state = Journal(tmp_path / "runs" / "1").read("state")
    assert (state["status"], state["begun"]) == ("COMPLETED", 2)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1"]


@pytest.mark.parametrize("cut", ["route add blackhole {0}", "neigh replace {0} lladdr 02:00:00:00:00:99 dev eth0"])
def test_a_link_between_two_that_the_launcher_reaches(start, net, tmp_path, cut):
    """A machine knows no way, or what it sends is lost."""
    own = start(["localhost", *net.addresses])
    own.wait_for("worker 2 adds")
    began = time.monotonic()
    subprocess.run(["ip", "-n", "gvc0", *cut.format(net.addresses[1]).split()], check=True)
    assert own.wait(30) == 1, own.said
    assert time.monotonic() - began < 30
    assert "has not answered it for 12 seconds; run 1 is FAILED" in own.endings[0]


def test_an_agent_that_is_stopped_on_another_machine(start, net, tmp_path):
    own = start([*net.addresses, "localhost"])
    own.wait_for("worker 2 adds")
    os.kill(own.agent_of("worker0"), signal.SIGSTOP)
    assert own.wait(30) == 1, own.said
    assert f"launch: worker 0 on {net.addresses[0]}: not heard for 12 seconds; run 1 is FAILED" in own.endings[0]


def test_a_worker_killed_on_another_machine_and_the_launcher_killed(start, net, tmp_path, machine):
    own = start(["localhost", *net.addresses])
    own.wait_for("worker 2 adds")
    os.kill(own.role("worker2"), signal.SIGKILL)
    assert own.wait(30) == 1, own.said
    assert own.endings[0].startswith(f"launch: worker 2 on {net.addresses[1]}: killed by signal 9 (SIGKILL); run 1 is")
    own = start([*net.addresses, "localhost"])
    own.wait_for("worker 2 adds")
    own.process.kill()
    machine.wait_until(lambda: not own.all())
    assert Journal(tmp_path / "runs" / "2").read("state")["fail_trace"] == ["the launcher ended"]


def test_a_machine_that_cannot_be_reached(start, net):
    net.cut(1)
    own = start(["localhost", *net.addresses])
    assert own.wait(30) == 1
    (line,) = own.endings
    assert f" on {net.addresses[1]}: ssh: connect to host {net.addresses[1]} port 2222: " in line
