"""Machines for tests: network namespaces with addresses of their own, each with an sshd and its own processes."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from experiments import child

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_NET = "10.213.77"
_PORT = 2222


def reason_against() -> str | None:
    """Why there can be none here."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "ssh", "unshare"))) or SSHD is None:
        return "needs root, ip, ssh, sshd and unshare"
    tried = subprocess.run(["unshare", "--net", "--pid", "--fork", "--mount-proc", "true"], capture_output=True)
    return tried.stderr.decode() if tried.returncode else None


class Machines:
    """So many machines behind one switch; this one, the first on it, has the address ``own_address``.

    Args:
        folder: for their keys.
        count: how many.
    """

    def __init__(self, folder: Path, count: int):
        self.folder = folder
        self.own_address = f"{_NET}.1"
        self.addresses = [f"{_NET}.{number + 2}" for number in range(count)]
        self._servers: list[subprocess.Popen] = []
        self.remove()
        folder.mkdir()
        for key in ("host", "user"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        _run("ip", "link", "add", "gvcbr", "type", "bridge")
        _run("ip", "addr", "add", f"{self.own_address}/24", "dev", "gvcbr")
        _run("ip", "link", "set", "gvcbr", "up")
        for number, address in enumerate(self.addresses):
            space, outer = f"gvc{number}", f"gvcve{number}"
            _run("ip", "netns", "add", space)
            _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("ip", "link", "set", outer, "master", "gvcbr", "up")
            _run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", space, "link", "set", "eth0", "up")
            _run("ip", "-n", space, "link", "set", "lo", "up")
            self._servers.append(self._start_sshd(space, address))
        time.sleep(0.5)
        assert all(server.poll() is None for server in self._servers)

    @property
    def ssh(self) -> str:
        """The command that reaches them."""
        known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return f"ssh -T -p {_PORT} -i {self.folder}/user -o BatchMode=yes -o ConnectTimeout=5 {known}"

    def cut(self, number: int) -> None:
        """Cut the link of one machine."""
        _run("ip", "link", "set", f"gvcve{number}", "down")

    def mend(self, number: int) -> None:
        """Put it back."""
        _run("ip", "link", "set", f"gvcve{number}", "up")

    def remove(self) -> None:
        """Take them all away."""
        for server in self._servers:
            server.kill()  # with it all that it started: it is the first process of its machine
            server.wait()
        for number in range(9):
            subprocess.run(["ip", "link", "del", f"gvcve{number}"], capture_output=True)
            subprocess.run(["ip", "netns", "del", f"gvc{number}"], capture_output=True)
        subprocess.run(["ip", "link", "del", "gvcbr"], capture_output=True)

    def _start_sshd(self, space: str, address: str) -> subprocess.Popen:
        Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "authorized").write_text((self.folder / "user.pub").read_text())
        # fmt: off
        options = [
            f"HostKey={self.folder}/host", f"AuthorizedKeysFile={self.folder}/authorized", f"ListenAddress={address}",
            f"Port={_PORT}", "StrictModes=no", "UsePAM=no", "PidFile=none", "PermitRootLogin=yes", "MaxStartups=100",
        ]
        # fmt: on
        own = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", SSHD, "-D", "-e", "-f", "/dev/null"]
        with (self.folder / f"sshd{space}.log").open("wb") as log:
            flags = [word for option in options for word in ("-o", option)]
            return child.start(["ip", "netns", "exec", space, *own, *flags], stdout=log, stderr=log)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
