"""Numbers, commands and machines as both pages write them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from experiments.registry import Cell, Published
from experiments.reproduction.cell_runs import CellRun
from experiments.reproduction.plan import Variant, command_words
from experiments.reproduction.progress import duration
from experiments.reproduction.verdict import Verdict
from experiments.results.tables import Section

NONE = "-"


def percent(value: float | None, sign: bool = False) -> str:
    """A measured fraction of 1 in percent."""
    if value is None:
        return NONE
    return f"{100 * value:{'+' if sign else ''}.2f}"


def published(own: Published | None) -> str:
    """A published fraction of 1 in percent, with the one or two digits that it was published with."""
    return f"{100 * own.value:.2f}".removesuffix("0") if own else NONE


def measured(own: Verdict) -> str:
    """The mean; of several, with their standard deviation and number."""
    if own.mean is None:
        return NONE
    return percent(own.mean) + (f" ± {percent(own.deviation)} (n = {own.values})" if own.deviation is not None else "")


def interval(own: Verdict) -> str:
    """The mean's interval at 95 %."""
    return f"{percent(own.interval[0])} to {percent(own.interval[1])}" if own.interval else NONE


def command(cell: Cell, seed: int = 0) -> str:
    """What to type to run it again."""
    return f"python experiments/run.py with {' '.join(command_words(cell, seed))}"


def run_time(runs: Iterable[CellRun]) -> str:
    """How long the runs took on the whole."""
    return duration(sum(own.state.get("wall_seconds", 0.0) for own in runs))


def machines(sections: Iterable[Section]) -> list[str]:
    """Those that runs of these sections were made on."""
    hosts = [own.journal.read("run").get("host", {}) for part in sections for one in part.results for own in one.runs]
    return list(dict.fromkeys(_machine(host) for host in hosts if host))


def counts(section: Section) -> str:
    """How many cells were run, are at work, and how their verdicts are."""
    verdicts = Counter(own.scores[0].verdict.word for own in section.done if own.scores[0].verdict.word)
    parts = [f"{len(section.done)} of {len(section.results)} cells run" if section.entry.grid else ""]
    parts += [f"{number} {word}" for word, number in verdicts.items()]
    parts += [f"{going} at work"] if (going := sum(own.going for own in section.results)) else []
    return ", ".join(part for part in parts if part) or "not run"


def label(variant: Variant) -> str:
    """What kind of table this is."""
    if variant.is_full:
        return "the published recipes, as they are"
    if variant.name == "quick":
        return "QUICK: fewer epochs and rows than published, to see that everything works; no reproduction"
    return f"{variant.epochs} epochs in place of what was published; no reproduction"


def _machine(host: Mapping[str, Any]) -> str:
    memory = host.get("memory_bytes", 0) / 2**30
    parts = [host.get("processor"), f"{host.get('cores')} cores", f"{memory:.0f} GiB", host.get("platform")]
    return f"{host.get('hostname')}: {', '.join(str(part) for part in parts if part)}, Python {host.get('python')}"
