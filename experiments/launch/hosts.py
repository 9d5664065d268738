"""The machines of a job: a file that lists them, their addresses, and how a command is started on one."""

import shlex
import shutil
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from experiments import ROOT
from experiments.errors import UserError
from experiments.launch import MARKER

SSH = "ssh -T -o BatchMode=yes -o ConnectTimeout=10"
LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = {"localhost", LOOPBACK, "::1", socket.gethostname()}


@dataclass(frozen=True)
class Host:
    """One machine.

    Args:
        name: as ssh takes it; localhost is this machine.
        address: IP address at which the others reach it.
        workers: how many workers it takes at most; None takes as many as come.
        folder: of the checkout there.
        python: the interpreter there.
    """

    name: str = "localhost"
    address: str = LOOPBACK
    workers: int | None = None
    folder: str = str(ROOT)
    python: str = sys.executable

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, where no ssh is needed."""
        return self.name in _LOCAL_NAMES

    def agent_command(self, ssh: str, marker: str | None) -> list[str]:
        """The command that runs an agent there.

        Args:
            ssh: the command that runs another one there; it is given the host and one shell line.
            marker: of all processes that the agent stands for; None for one that stands for none.
        """
        agent = ["env", *([f"{MARKER}={marker}"] if marker else []), self.python, "-m", "experiments.launch.agent"]
        if self.is_local:
            return agent
        return [*shlex.split(ssh), self.name, f"cd {shlex.quote(self.folder)} && exec {shlex.join(agent)}"]


def read(path: Path) -> list[Host]:
    """The machines that a file lists, a line each: ``NAME [address=IP] [workers=N] [folder=PATH] [python=PATH]``.

    Raises:
        UserError: if the file cannot be read, or a line is not such.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"hosts: {path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}") from None
    hosts = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if words:
            hosts.append(_host(words, f"hosts: {path} line {number}"))
    if not hosts:
        raise UserError(f"hosts: {path} names no machine")
    if len({host.name for host in hosts}) < len(hosts):
        raise UserError(f"hosts: {path} names a machine twice")
    if all(host.is_local for host in hosts):
        return [replace(host, address=host.address or LOOPBACK) for host in hosts]
    return [_with_address(host, hosts, path) for host in hosts]


def check_ssh(ssh: str) -> None:
    """Refuse a command for other machines that cannot be run here.

    Raises:
        UserError: if it is no command line, or its program is not there.
    """
    try:
        words = shlex.split(ssh)
    except ValueError as error:
        raise UserError(f"--ssh {ssh}: not a command line: {error}") from None
    if not words:
        raise UserError("--ssh: an empty command; it starts a command on another machine, as ssh does")
    if shutil.which(words[0]) is None:
        raise UserError(f"--ssh {ssh}: {words[0]} is no program on this machine")


def _host(words: list[str], where: str) -> Host:
    name, *settings = words
    values = dict(word.split("=", 1) for word in settings if "=" in word)
    for word in settings:
        if word.split("=", 1)[0] not in ("address", "workers", "folder", "python") or "=" not in word:
            raise UserError(f"{where}: {word} is none of address=IP, workers=N, folder=PATH, python=PATH")
    if name.startswith("-") or "=" in name:
        raise UserError(f"{where}: {name} is not the name of a machine")
    if name in _LOCAL_NAMES and "folder" in values:
        raise UserError(
            f"{where}: folder={values['folder']}: {name} is this machine, where the launcher's folder is used"
        )
    if not values.get("workers", "0").isdigit():
        raise UserError(f"{where}: workers={values['workers']} is not a number")
    workers = int(values["workers"]) if "workers" in values else None
    others = {key: values[key] for key in ("folder", "python") if key in values}
    return Host(name, values.get("address", ""), workers, **others)


def _with_address(host: Host, hosts: list[Host], path: Path) -> Host:
    """``host`` with the address that it is reached at from the other machines."""
    given = host.address or host.name.rpartition("@")[2]
    try:
        if host.is_local and not host.address:  # as the first of the others sees it
            other = next(other for other in hosts if not other.is_local)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
                route.connect((other.address or other.name.rpartition("@")[2], 9))  # sends nothing
                return replace(host, address=route.getsockname()[0])
        return replace(host, address=socket.gethostbyname(given))
    except OSError:
        raise UserError(f"hosts: {path}: {host.name}: no address of {given} is known; write address=IP") from None
