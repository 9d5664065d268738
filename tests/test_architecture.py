"""The walls of the house: which package may import what."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("datasets", "evaluation", "experiments", "gluon_models")
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# What each package must never import, wherever in a file the import stands.
FORBIDDEN = {
    "datasets": {"mxnet", "gluoncv", "sacred", "pymongo", "gluon_models", "evaluation", "experiments"},
    "evaluation": {
        "mxnet",
        "gluoncv",
        "sacred",
        "pymongo",
        "h5py",
        "gluon_models",
        "datasets",
        "experiments",
    },
    "gluon_models": {"sacred", "pymongo", "h5py", "datasets", "evaluation", "experiments"},
    "experiments/registry": {"mxnet", "sacred", "pymongo", "h5py", "datasets", "evaluation", "gluon_models"},
}
SACRED = {"experiments/run.py", "experiments/runlog.py"}
PYMONGO = {
    f"experiments/{name}.py" for name in ("copier", "mirror", "sync", "runstore", "run_removal", "board_columns")
}


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    modules = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def tops(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_room_imports_only_what_its_floor_allows(path):
    for place, forbidden in FORBIDDEN.items():
        if str(path).startswith(place + "/"):
            assert not tops(imported(path)) & forbidden


@pytest.mark.parametrize("path", FILES, ids=str)
def test_sacred_and_pymongo_have_their_own_files(path):
    modules = tops(imported(path))
    assert "sacred" not in modules or str(path) in SACRED
    assert not {"pymongo", "gridfs", "bson"} & modules or str(path) in PYMONGO


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_is_two_ideas(path):
    assert len((ROOT / path).read_text().splitlines()) <= 300


def test_no_mxnet_where_a_command_must_answer_at_once():
    """What run.py and the command line import at the top, followed through our own modules, is free of MXNet."""
    seen: set[Path] = set()
    todo = [Path("experiments/run.py"), Path("experiments/__main__.py")]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        modules = imported(path, top_level_only=True)
        assert not {"mxnet", "gluoncv"} & tops(modules), path
        for module in modules:
            for candidate in (
                Path(*module.split(".")).with_suffix(".py"),
                Path(*module.split("."), "__init__.py"),
            ):
                if (ROOT / candidate).is_file():
                    todo.append(candidate)
    assert len(seen) > 5
