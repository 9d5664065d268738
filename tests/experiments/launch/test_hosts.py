import pytest

from experiments import ROOT
from experiments.errors import UserError
from experiments.launch import hosts, job


def read(tmp_path, *lines):
    (tmp_path / "hosts").write_text("\n".join(lines))
    return hosts.read(tmp_path / "hosts")


def test_every_line_is_a_machine(tmp_path):
    local, far = read(
        tmp_path, "# ours", "localhost workers=1", "", "me@127.0.0.9 folder=/a/b python=/c/python  # the other"
    )
    assert (local.workers, local.folder, local.is_local) == (1, str(ROOT), True)
    assert local.address == "127.0.0.1"  # by which it reaches the other
    assert (far.name, far.address, far.workers, far.is_local) == ("me@127.0.0.9", "127.0.0.9", None, False)
    assert far.agent_command("ssh -x", "1/agent") == [
        *("ssh", "-x", "me@127.0.0.9"),
        "cd /a/b && exec env EXPERIMENTS_JOB=1/agent /c/python -m experiments.launch.agent",
    ]


def test_this_machine_alone_is_reached_by_loopback(tmp_path):
    machines = read(tmp_path, "localhost workers=2")
    roles = job.roles(machines, servers=1, workers=2)
    told = job.environment(roles[0], roles, 9000)
    assert (told["DMLC_PS_ROOT_URI"], told["DMLC_NODE_HOST"]) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a b", "line 1: b is none of address=IP, workers=N"),
        ("a wrokers=2", "line 1: wrokers=2 is none of"),
        ("a workers=two", "line 1: workers=two is not a number"),
        ("-oProxyCommand=x", "line 1: -oProxyCommand=x is not the name of a machine"),
        ("no.such.machine.invalid", "no address of no.such.machine.invalid is known; write address=IP"),
        ("localhost\nlocalhost", "names a machine twice"),
        ("localhost folder=/a", "line 1: folder=/a: localhost is this machine, where the launcher's folder is used"),
        ("# nothing", "names no machine"),
    ],
)
def test_mistakes_say_where(tmp_path, line, message):
    with pytest.raises(UserError, match=r"^hosts: ") as caught:
        read(tmp_path, line)
    assert message in str(caught.value)


def test_who_runs_where(tmp_path):
    machines = read(tmp_path, "127.0.0.8 workers=1", "127.0.0.9")
    placed = [str(role) for role in job.roles(machines, servers=3, workers=4)]
    assert placed == [
        "scheduler on 127.0.0.8",
        *(f"server {number} on 127.0.0.{address}" for number, address in ((0, 8), (1, 9), (2, 8))),
        *(f"worker {number} on 127.0.0.{address}" for number, address in ((0, 8), (1, 9), (2, 9), (3, 9))),
    ]
    with pytest.raises(UserError, match=r"--workers 3: the machines take 2 "):
        job.roles(read(tmp_path, "localhost workers=2"), servers=1, workers=3)
