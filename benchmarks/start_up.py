"""From the start of a process to its first prediction: ``python -m benchmarks.start_up [--model M,...] [--rounds N]``.

``run.py predict`` with parameters and with an exported net, and ``python -m experiments.inference`` with either engine,
by nets of the published sizes that nobody trained, on a data file of one video.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import arguments, published
from benchmarks.inputs import synthetic_videos
from benchmarks.plot import Bar
from benchmarks.record import Record
from experiments import ROOT, child
from experiments.errors import UserError

COLUMNS = ("model", "command", "seconds")
FIRST_VIDEO = b"train-0000000 "


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("start_up", __doc__, rounds=3)
    models = arguments.some_of(published.MODELS)
    parser.add_argument("--model", type=models, default=list(published.MODELS), help=",".join(published.MODELS))
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    videos = synthetic_videos(1)
    record = Record("start_up", words, given.out)
    record.head(COLUMNS)
    for model in given.model:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "benchmarks.nets", model, place], cwd=ROOT, check=True
            )
            commands = _commands(model, folder, videos)
            found: dict[str, list[float]] = {name: [] for name in commands}
            with tqdm(desc=model, total=given.rounds * len(commands), dynamic_ncols=True, unit=" starts") as bar:
                for _ in range(given.rounds):
                    for name, command in commands.items():
                        found[name].append(seconds := _seconds(command))
                        record.add(model=model, command=name, seconds=seconds)
                        bar.update()
        for name, values in found.items():
            spread = f"{statistics.median(values):.1f} [{min(values):.1f}, {max(values):.1f}]"
            record.row([f"`{model}`", name, spread])
        bars = [Bar(name.replace("`", ""), values) for name, values in found.items()]
        record.panel(model, "seconds, fewer are better", bars)
    record.say(f"\n{given.rounds} rounds: medians, [lowest, highest].")


def _commands(model: str, folder: Path, videos: Path) -> dict[str, list[str]]:
    run = [sys.executable, "experiments/run.py", "predict", "with", f"input={videos}"]
    exported = [sys.executable, "-m", "experiments.inference", str(folder), str(videos)]
    return {
        "`run.py predict`, parameters": [*run, f"experiment={published.entry(model)}", f"weights={folder}/net.params"],
        "`run.py predict`, exported net": [*run, f"weights={folder}"],
        "`experiments.inference --engine mxnet`": exported,
        "`experiments.inference --engine onnxruntime`": [*exported, "--engine", "onnxruntime"],
    }


def _seconds(command: list[str]) -> float:
    """Until the line of the first video is there."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = child.start([command[0], "-u", *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(FIRST_VIDEO):
                seconds = time.perf_counter() - begin
                process.stdout.read()
                process.wait()
                return seconds
        said.seek(0)
        raise UserError(f"{' '.join(command[1:])}: {said.read().decode(errors='replace').strip().splitlines()[-1:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
