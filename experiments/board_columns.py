"""The columns of Omniboard's table of runs, set up once; from then on they are the user's own."""

from typing import Any

from experiments.runstore import Store

# The part of a run's configuration, by name of the column; a column `experiment` is Omniboard's own.
CONFIG_COLUMNS = {
    "Experiment": "config.experiment",
    "Model": "config.model",
    "Dataset": "config.dataset",
}
# The metric whose last value is shown, by name of the column.
METRIC_COLUMNS = {"Hit@1": "validate.hit_at_1", "PERR": "validate.perr", "GAP": "validate.gap"}

# What the table shows, in this order, with the widths in pixels; the user may add the hidden ones.
_SHOWN = {
    "_id": 60,
    "Experiment": 230,
    "Model": 130,
    "Dataset": 105,
    "status": 110,
    "Hit@1": 100,
    "PERR": 100,
    "GAP": 100,
    "start_time": 150,
    "duration": 85,
    "tags": 150,
    "notes": 150,
}
_HIDDEN = ["result", "command", "hostname", "stop_time", "experiment_name"]
_HIDDEN_WIDTH = 150
_PATHS = {  # in a run's document, where it is not the column's name
    **CONFIG_COLUMNS,
    **{name: name for name in METRIC_COLUMNS},
    "hostname": "host.hostname",
    "experiment_name": "experiment.name",
    "tags": "omniboard.tags",
    "notes": "omniboard.notes",
}


def set_up(store: Store) -> None:
    """Tell Omniboard, in its own collections, of the columns, where it has none."""
    config = [{"name": name, "config_path": path} for name, path in CONFIG_COLUMNS.items()]
    metrics = [{"name": name, "metric_name": metric, "extrema": "last"} for name, metric in METRIC_COLUMNS.items()]
    with store.client() as client:
        database = client[store.database]
        for kind, columns in (("custom", config), ("metric", metrics)):
            collection = database[f"omniboard.{kind}.columns"]
            if collection.find_one() is None:
                collection.insert_many(columns)


def table(store: Store) -> dict[str, Any]:
    """Return the state of Omniboard's table as its pages keep it: columns, their order and widths."""
    with store.client() as client:
        configs = [run.get("config", {}) for run in client[store.database].runs.find({}, {"config": 1})]
    keys = sorted({key for config in configs for key in config})
    columns = [*_SHOWN, *_HIDDEN, *(f"c_{key}" for key in keys)]
    return {
        "columnOrder": list(_SHOWN),
        "columnWidths": {name: _SHOWN.get(name, _HIDDEN_WIDTH) for name in columns},
        "columnNameMap": {**_PATHS, **{f"c_{key}": f"config.{key}" for key in keys}},
        "dropdownOptions": [
            {"label": name.replace("_", " ").strip(), "value": name, "selected": name in _SHOWN} for name in columns
        ],
        "metricAndCustomColumns": [
            {"name": name, "value": _PATHS[name]} for name in (*METRIC_COLUMNS, *CONFIG_COLUMNS)
        ],
    }
