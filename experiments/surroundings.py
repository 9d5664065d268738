"""What a run ran on and with, so that it can be told what differs when it runs again."""

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments import ROOT

DIFF_LIMIT = 10_000_000  # bytes of uncommitted changes; beyond it somebody has added data, not code
CODE = ("*.py", "*.yaml", "*.yml", "*.json", "*.toml", "*.sh", "*.js", "*.txt")


def git(root: Path = ROOT) -> tuple[dict[str, Any], str]:
    """The commit of ``root`` and what differs from it: its name, whether there are changes, and these as a diff.

    Of the files that git does not know, code is part of the diff; data that lie about are no change. Empty where
    ``root`` is no checkout.
    """
    commit = _run(root, "rev-parse", "HEAD").strip()
    if not commit:
        return {}, ""
    diff = _run(root, "diff", "HEAD", "--binary")
    for name in _run(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE).split("\0"):
        if name and len(diff) < DIFF_LIMIT:
            diff += _run(root, "diff", "--no-index", "/dev/null", name)
    branch = _run(root, "branch", "--show-current").strip()
    return {"commit": commit, "branch": branch, "dirty": bool(diff)}, diff[:DIFF_LIMIT]


def packages() -> dict[str, str]:
    """Name and version of everything installed beside us."""
    own = [place for place in sys.path if "_vendor" not in place]  # setuptools brings copies for itself alone
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions(path=own):
        found.setdefault((distribution.metadata["Name"] or "").lower(), distribution.version)
    found.pop("", None)
    return dict(sorted(found.items()))


def machine() -> dict[str, Any]:
    """Name, processors, memory and Python of this machine."""
    return {
        "hostname": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def peak_memory_bytes() -> int:
    """The most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _run(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
