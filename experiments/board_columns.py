"""What Omniboard shows of the runs, set up once: columns and curves; from then on they are the user's own."""

from typing import Any

from experiments.runstore import Store

# The part of a run's configuration, by name of the column. In one of the name `experiment_name`, Omniboard draws the
# status too, as a coloured dot; of itself it has Sacred's name there, the same for all runs.
CONFIG_COLUMNS = {
    "experiment_name": "config.experiment",
    "Model": "config.model",
    "Dataset": "config.dataset",
}
# The metric whose last value is shown, by name of the column.
METRIC_COLUMNS = {"Hit@1": "validate.hit_at_1", "PERR": "validate.perr", "GAP": "validate.gap"}
# What a run's chart draws at first, and what it does not. The axis is logarithmic, for a loss may begin at hundreds,
# and beside those the metrics, fractions of 1, are a flat line.
DRAWN = ["train.loss", *METRIC_COLUMNS.values()]
NOT_DRAWN = {"train.videos_per_second"}

# What the table shows, in this order, with the widths in pixels; the user may add the hidden ones.
_SHOWN = {
    "_id": 60,
    "experiment_name": 245,
    "Model": 125,
    "Dataset": 140,
    "status": 135,
    "Hit@1": 85,
    "PERR": 85,
    "GAP": 85,
    "start_time": 150,
    "duration": 85,
    "tags": 150,
    "notes": 130,
}
_HIDDEN = ["result", "command", "hostname", "stop_time"]
_HIDDEN_WIDTH = 150
_PATHS = {  # in a run's document, where it is not the column's name
    **CONFIG_COLUMNS,
    **{name: name for name in METRIC_COLUMNS},
    "hostname": "host.hostname",
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
        # Its name of earlier days, when the status had no colour.
        earlier = {"name": "Experiment", "config_path": CONFIG_COLUMNS["experiment_name"]}
        database["omniboard.custom.columns"].update_one(earlier, {"$set": {"name": "experiment_name"}})


def states(store: Store) -> dict[str, Any]:
    """Return what Omniboard's pages keep in a browser, by the key that they keep it at."""
    with store.client() as client:
        database = client[store.database]
        configs = [run.get("config", {}) for run in database.runs.find({}, {"config": 1})]
        metrics = {metric["name"] for metric in database.metrics.find({}, {"name": 1})}
    return {
        "default|RunsTable|1": _table(sorted({key for config in configs for key in config})),
        "undefined|MetricsPlotView|default": _chart(metrics),  # "undefined" is a slip of Omniboard's
    }


def _table(config_keys: list[str]) -> dict[str, Any]:
    """The table of runs: columns, their order and widths."""
    columns = [*_SHOWN, *_HIDDEN, *(f"c_{key}" for key in config_keys)]
    return {
        "columnOrder": list(_SHOWN),
        "columnWidths": {name: _SHOWN.get(name, _HIDDEN_WIDTH) for name in columns},
        "columnNameMap": {**_PATHS, **{f"c_{key}": f"config.{key}" for key in config_keys}},
        "dropdownOptions": [
            {"label": name.replace("_", " ").strip(), "value": name, "selected": name in _SHOWN} for name in columns
        ],
        "metricAndCustomColumns": [
            {"name": name, "value": _PATHS[name]} for name in (*METRIC_COLUMNS, *CONFIG_COLUMNS)
        ],
    }


def _chart(recorded: set[str]) -> dict[str, Any]:
    """The chart of a run's metrics: those that are drawn, and the axis."""
    names = sorted({*DRAWN, *recorded} - NOT_DRAWN)
    return {
        "metricNameOptions": [{"label": name, "value": name, "selected": True} for name in names],
        "selectedYAxis": "logarithmic",
    }
