"""``python -m experiments.launch``: a training job of several processes, on this machine or on several."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import UserError
from experiments.launch import hosts, job
from experiments.launch.watch import Watch

_SPARE_STARTS = 3  # MXNet's scheduler sometimes gives up at its start, on a busy machine
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2.0, 60.0  # before another start: what was cut may be back then

_EPILOG = """\
example:
  python -m experiments.launch --workers 2 --servers 1 --hosts machines.txt --restarts 3 -- \\
      python experiments/run.py with experiment=attention_cluster_youtube8m runtime.kvstore=dist_sync

Workers that train one net say runtime.kvstore=dist_sync. The hosts file has a line for each machine:
  NAME [address=IP] [workers=N] [folder=PATH] [python=PATH]
Failures, restarts and what every machine needs: docs/many_machines.md
"""


def main(words: Sequence[str]) -> int:
    """Run a job; its exit code."""
    place = words.index("--") if "--" in words else len(words)
    own, command = list(words[:place]), list(words[place + 1 :])
    options = _parser().parse_args(own)
    try:
        if not command:
            raise UserError("launch: no command; put it behind --, as: -- python experiments/run.py with ...")
        for name, least in (("workers", 1), ("servers", 1), ("restarts", 0), ("idle_seconds", 0)):
            if getattr(options, name) < least:
                raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: it must be at least {least}")
        machines = hosts.read(options.hosts) if options.hosts else [hosts.Host()]
        if not all(machine.is_local for machine in machines):
            hosts.check_ssh(options.ssh)
        return _run(job.roles(machines, options.servers, options.workers), own, command, options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # between two attempts
        print("\nlaunch: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.launch",
        usage="%(prog)s [OPTIONS] -- COMMAND",
        description=f"{__doc__} Every worker runs COMMAND.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that train (%(default)s)")
    parser.add_argument("--servers", type=int, default=1, metavar="N", help="processes that sum (%(default)s)")
    parser.add_argument("--hosts", type=Path, metavar="FILE", help="the machines; without it all run on this one")
    parser.add_argument("--restarts", type=int, default=0, metavar="N", help="failures to start again after (0)")
    parser.add_argument("--ssh", default=hosts.SSH, metavar="COMMAND", help="starts a command elsewhere (%(default)s)")
    idle = "seconds in which no process computes, after which the job is ended; 0: never (%(default)s)"
    parser.add_argument("--idle-seconds", type=float, default=300.0, metavar="N", help=idle)
    return parser


def _run(roles: Sequence[job.Role], own: list[str], given: list[str], options: argparse.Namespace) -> int:
    """Run the job, and again after failures as often as is allowed."""
    command, run = given, None
    attempt, spare = 0, _SPARE_STARTS
    while True:
        if attempt:
            time.sleep(min(_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS))
        outcome = Watch(roles, command, options.ssh, options.idle_seconds).attend()
        run = outcome.run or run
        if run is not None and run["command"] == "train":
            command = job.resumed(given, Path(run["run"]).name)
        is_spare = outcome.has_no_scheduler and spare > 0
        # What ended by itself before it began anything would do so again: a mistake on the command line.
        fails_again = run is None and not outcome.is_death
        last = outcome.exit_code != 1 or not (is_spare or (attempt < options.restarts and not fails_again))
        if outcome.why:
            words = [outcome.why]
            if outcome.run is not None:
                words.append(f"run {Path(outcome.run['run']).name} is {outcome.status}")
            if not last:
                again = "with another port" if is_spare else f"{attempt + 1} of {options.restarts}"
                words.append(f"starting again, {again}")
            elif command is not given and outcome.exit_code:
                words.append(f"go on by: {shlex.join(['python', '-m', 'experiments.launch', *own, '--', *command])}")
            print(f"launch: {'; '.join(words)}", file=sys.stderr)
        if last:
            return outcome.exit_code
        attempt, spare = (attempt, spare - 1) if is_spare else (attempt + 1, spare)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
