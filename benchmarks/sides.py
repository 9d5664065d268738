"""The sides of a comparison, each a process of its own, and what is said of them."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers.measuring import Case
from experiments import ROOT, child
from experiments.errors import UserError

PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
FRAMEWORKS = {"MXNet": "mxnet_side", "PyTorch": "torch_side", "Paddle": "paddle_side"}  # their modules in peers/
OURS = "MXNet"


class Side:
    """A process that works with one framework; see its module for what it can be asked.

    Args:
        framework: one of `FRAMEWORKS`.
        threads: that it computes with.
        module: of peers/, the one of its nets if not given.
    """

    def __init__(self, framework: str, threads: int, module: str | None = None) -> None:
        self._module = module or FRAMEWORKS[framework]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed as this is
        python = Path(sys.executable) if framework == OURS else PEER_PYTHON
        speed = {"OMP_NUM_THREADS": str(threads)}
        if not _is_intel():  # Paddle's MKL computes slowly there unless it is told what the processor can do
            speed["MKL_DEBUG_CPU_TYPE"] = "5"
        self._process = child.start(
            [str(python), "-W", "ignore", "-m", f"benchmarks.peers.{self._module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C in the terminal is for this process, with which the child ends
            env={**os.environ, **speed},
        )

    def save(self, case: Case, folder: Path) -> None:
        """Let our side write a new net's weights."""
        self.ask(save=asdict(case), folder=str(folder))

    def load(self, case: Case, folder: Path, ways: Sequence[str], tolerance: float) -> str:
        """Make nets of saved weights, one for each of ``ways``; the framework's name and version.

        Raises:
            UserError: if their logits differ by more than rounding, ``tolerance`` of the largest.
        """
        answer = self.ask(load=asdict(case), folder=str(folder), ways=list(ways))
        if not answer["difference"] <= tolerance:
            raise UserError(
                f"{answer['framework']}, {', '.join(ways)}: the logits differ from ours by {answer['difference']:.1e} "
                f"of the largest, more than {tolerance}; they are not the same net, and nothing was measured"
            )
        return answer["framework"]

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
            while answer and not answer.startswith(b"{"):  # what a framework has to say
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


def _is_intel() -> bool:
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:  # the system does not say
        return False


def need_peers() -> None:
    """Raises a UserError where the peers are not installed."""
    if not PEER_PYTHON.exists():
        raise UserError("PyTorch and Paddle are missing; `make .venv-peers/.complete` installs them in .venv-peers")


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Pair by pair: what was measured one after the other had the same machine."""
    return [one / other for one, other in zip(above, below, strict=True)]


def spread(values: Sequence[float]) -> str:
    """Median, lowest and highest; the value alone where there is one."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"
