"""Whether a model's code is what it was when a run was made. Imports no MXNet."""

import ast
import re
from functools import cache
from pathlib import Path

from experiments import ROOT
from experiments.journal import Journal

MODELS = "gluon_models"


@cache
def sources(model: str) -> list[str]:
    """The files that the model named ``model`` is made of, with all they import of its package, below the root.

    Empty for a model from elsewhere, whose files no run records.
    """
    register = re.compile(rf'^@zoo\.register\("{re.escape(model)}"\)', re.MULTILINE)
    pending = [path.stem for path in (ROOT / MODELS).glob("*.py") if register.search(path.read_text())]
    found: set[str] = set()
    while pending:
        stem = pending.pop()
        if stem not in found and (ROOT / MODELS / f"{stem}.py").is_file():
            found.add(stem)
            pending += _imported((ROOT / MODELS / f"{stem}.py").read_text())
    return sorted(f"{MODELS}/{stem}.py" for stem in found)


def changed(own: Journal, model: str, initializer: str) -> list[str]:
    """The files of ``model``, its loss and its initial values that do another thing today than in the run ``own``.

    Comments and docstrings are not looked at.
    """
    then = dict(own.read("run").get("sources", []))
    names = [*sources(model), f"{MODELS}/losses.py"]
    names += [f"{MODELS}/{initializer}.py"] if (ROOT / MODELS / f"{initializer}.py").is_file() else []
    return [
        name
        for name in names
        if name not in then or not _meaning(own.files / then[name]) == _meaning(ROOT / name) != ""
    ]


def _imported(text: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == MODELS:
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{MODELS}."):
            names.append(node.module.removeprefix(f"{MODELS}."))
    return names


def _meaning(path: Path) -> str:
    """The code in ``path`` without comments, docstrings and layout; empty if there is none."""
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        return ""
    return _parsed(path, modified)


@cache
def _parsed(path: Path, modified: int) -> str:  # noqa: ARG001  part of the cache's key
    try:
        tree = ast.parse(path.read_text())
    except (OSError, ValueError, SyntaxError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
