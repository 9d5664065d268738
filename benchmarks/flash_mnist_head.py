"""Training the head of the Flash-MNIST table, ours beside the same head written in PyTorch.

``python -m benchmarks.flash_mnist_head [--clusters 1,8,32,128] [--rounds N] [--seconds S]``

One step after the other on one core, as a cell of ``make reproduce-paper`` has it, on random videos in memory: ours
through `experiments.training.update`, PyTorch's with either of its Adams, of which the faster counts. Rounds are
interleaved. Seconds are of processor time, the clock's where nothing else runs on that core.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers.measuring import WITHOUT
from experiments import ROOT, child, registry
from experiments.errors import UserError

ENTRY = "flash_mnist_table"
OURS, PEER = "attention_cluster_mxnet", "attention_cluster_torch"
COLUMNS = ("no_shift_fc1", "shift_fc1")
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
TOLERANCE = 1e-5  # of the logits, as a share of the largest

Speeds = dict[str, list[float]]  # videos a second by the way to train, one a round


class Side:
    """A process that trains the head in one framework; see `peers.measuring.serve` for what it can be asked.

    Args:
        python: The interpreter of its environment.
        module: Its program in `benchmarks.peers`.
    """

    def __init__(self, python: Path, module: str) -> None:
        self._module = module
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed as this is
        self._process = child.start(
            [str(python), "-W", "ignore", "-m", f"benchmarks.peers.{module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C in the terminal is for this process, with which the child ends
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            UserError: the process ended instead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            code = self._process.wait()
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").split("\n")
            reason = next((line.strip() for line in reversed(lines) if line.strip()), f"it ended with code {code}")
            raise UserError(f"benchmarks/peers/{self._module}.py: {reason}")
        return json.loads(answer)

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        child.stop(self._process)
        self._said.close()


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flash_mnist_head", description=__doc__)
    parser.add_argument("--clusters", type=_numbers, default=[1, 8, 32, 128], help="values of N (1,8,32,128)")
    parser.add_argument("--rounds", type=_number, default=3, help="(%(default)s)")
    parser.add_argument("--seconds", type=_seconds, default=0.3, help="a measurement, at least (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        if not PEER_PYTHON.exists():
            raise UserError("PyTorch is missing; `make .venv-peers/.complete` installs it in .venv-peers")
        _measure(given.clusters, given.rounds, given.seconds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the rows above are whole", file=sys.stderr)
        return 130
    return 0


def check(difference: float, cell: str) -> None:
    """Hold the logits of both sides against each other.

    Raises:
        UserError: they differ by more than rounding.
    """
    if not difference <= TOLERANCE:
        raise UserError(
            f"{cell}: the logits of both sides differ by {difference:.1e} of the largest, more than {TOLERANCE}; "
            "they are not the same net, and this cell was not measured"
        )


def _measure(clusters: list[int], rounds: int, seconds: float) -> None:
    entry = registry.load(ENTRY)
    assert entry.grid is not None
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the children's too
    shares: list[float] = []
    with Side(Path(sys.executable), OURS) as ours, Side(PEER_PYTHON, PEER) as peer:
        for number, (units, column) in enumerate(itertools.product(clusters, COLUMNS)):
            numbers = {**registry.flatten(entry), **entry.grid.updates(column, units)}
            with tempfile.NamedTemporaryFile(suffix=".npz") as file:
                made = {side: side.ask(numbers=numbers, path=file.name) for side in (ours, peer)}  # ours writes it
            check(made[peer]["difference"], f"{column}, N = {units}")
            if number == 0:
                _print_head(made[ours]["framework"], made[peer]["framework"], numbers)
            speeds: dict[Side, Speeds] = {side: {way: [] for way in made[side]["ways"]} for side in (ours, peer)}
            for _ in range(rounds):
                for side, by_way in speeds.items():
                    for way, measured in by_way.items():
                        answer = side.ask(train=way, seconds=seconds)
                        measured.append(answer["videos_per_second"])
                        shares.append(answer["share"])
            print(_row(units, column, speeds[ours], speeds[peer]), flush=True)
    print(
        f"\n{rounds} rounds: medians, [lowest, highest] of the pairs. Seconds are of processor time; by the clock the"
    )
    print(f"processes had {statistics.mean(shares):.0%} of their core, other programs the rest.")


def _print_head(ours: str, peer: str, numbers: dict[str, Any]) -> None:
    print(f"{_processor()}, {os.cpu_count()} cores of which one is used; batches of {numbers['batch_size']} videos\n")
    print(f"| N | column | {ours}, videos/s | {peer}, videos/s | its fastest | ours / PyTorch | of the time, Adam |")
    print("|---:|---|---:|---:|---|---|---|", flush=True)


def _row(units: int, column: str, ours: Speeds, peer: Speeds) -> str:
    own, other = _fastest(ours), _fastest(peer)
    pairs = _ratios(ours[own], peer[other])
    medians = f"{statistics.median(ours[own]):,.0f} | {statistics.median(peer[other]):,.0f}"
    spread = f"{statistics.median(pairs):.2f} [{min(pairs):.2f}, {max(pairs):.2f}]"
    adam = [1 - statistics.median(_ratios(side[way], side[WITHOUT])) for side, way in ((ours, own), (peer, other))]
    return f"| {units} | `{column}` | {medians} | {other} | {spread} | {adam[0]:.0%}, PyTorch's {adam[1]:.0%} |"


def _fastest(speeds: Speeds) -> str:
    return max((way for way in speeds if way != WITHOUT), key=lambda way: statistics.median(speeds[way]))


def _ratios(above: list[float], below: list[float]) -> list[float]:
    """Pair by pair: what was measured one after the other had the same machine."""
    return [one / other for one, other in zip(above, below, strict=True)]


def _processor() -> str:
    """The processor's name, where the system says it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "a processor unnamed")


def _numbers(text: str) -> list[int]:
    return [_number(part) for part in text.split(",")]


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
