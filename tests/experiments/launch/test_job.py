import os
import sys
from pathlib import Path

from experiments.launch import agent, job
from experiments.launch.hosts import Host


def test_what_the_processes_are_told():
    near, far = Host(address="10.0.0.1"), Host("far", "10.0.0.2")
    roles = job.roles([near, far], servers=2, workers=3)
    told = [job.environment(role, roles, 4000) for role in roles]
    common = {"DMLC_PS_ROOT_URI": "10.0.0.1", "DMLC_PS_ROOT_PORT": "4000", "DMLC_NUM_SERVER": "2"}
    assert all(common.items() <= words.items() for words in told)
    assert [words["DMLC_ROLE"] for words in told] == ["scheduler", "server", "server", "worker", "worker", "worker"]
    assert [words["DMLC_NODE_HOST"][-1] for words in told] == list("112121")
    assert [words.get("EXPERIMENTS_WORKER") for words in told] == [None, None, None, "0", "1", "2"]
    assert {words.get("EXPERIMENTS_WORKERS") for words in told[3:]} == {"3"}


def test_a_resumed_command_keeps_what_a_resumed_run_may_set():
    given = ["python", "experiments/run.py", "with", "smoke", "epochs=3", "seed=2", "runtime.devices=cpu", "-l", "INFO"]
    assert job.resumed(given, "12") == [
        *("python", "experiments/run.py", "with", "epochs=3", "runtime.devices=cpu", "resume=12", "-l", "INFO")
    ]
    assert job.resumed(["python", "experiments/run.py"], "3") == ["python", "experiments/run.py", "with", "resume=3"]


def test_workers_of_one_machine_share_its_cores_and_gpus(launch):
    """Where nobody has said how many threads they take."""
    show = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ.get('CUDA_VISIBLE_DEVICES'))"
    words = ("--workers", "2", "--", sys.executable, "-c", show)
    cores = max(1, len(os.sched_getaffinity(0)) // 2)
    own = launch(*words, CUDA_VISIBLE_DEVICES="3,5,6,7", OMP_NUM_THREADS="")
    assert own.wait() == 0, own.said
    assert sorted(line for line in own.lines) == [f"[worker 0 ] {cores} 3,5", f"[worker 1 ] {cores} 6,7"]


def test_a_program_that_there_is_not(launch):
    own = launch("--workers", "1", "--", "no-such-program")
    assert own.wait() == 1
    assert own.lines[0] == "[worker 0 ] no-such-program cannot be started: No such file or directory"
    assert own.endings == ["launch: worker 0: ended with exit code 127"]


def test_the_schedulers_port_is_none_that_the_system_gives():
    """Who tries to reach it before it is there may be given its own port, and then has reached itself."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 <= agent._free_port() < first for _ in range(100))
