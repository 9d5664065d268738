"""The Sacred experiment: ``python experiments/run.py [COMMAND] with KEY=VALUE ...``.

Configuration in, result out. Sacred's shell alone is here; what a run does is in ``experiments.tasks``, and what a
configuration may say in ``experiments.configuration``.
"""

import itertools
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# First, so that a package `datasets` or `evaluation` in site-packages cannot take the place of ours. Sacred's own
# folder of the script is last to be asked: it holds no packages.
sys.path[:] = [str(ROOT), *(path for path in sys.path if path not in (str(ROOT), str(ROOT / "experiments")))]

warnings.filterwarnings("ignore", message="pkg_resources is deprecated")

from sacred import SETTINGS, Experiment  # noqa: E402
from sacred.arg_parser import get_config_updates  # noqa: E402
from sacred.config import ConfigDict  # noqa: E402
from sacred.utils import SacredError, apply_backspaces_and_linefeeds  # noqa: E402

from datasets.errors import DataError  # noqa: E402
from experiments import (  # noqa: E402
    compute_capability,
    configuration,
    data,
    follower,
    registry,
    subnormals,
    summary,
    surroundings,
    threads,
    use,
    worker,
)
from experiments.class_names import VOCABULARY  # noqa: E402
from experiments.errors import UserError  # noqa: E402
from experiments.journal import Journal  # noqa: E402
from experiments.plain import plain  # noqa: E402
from experiments.registry.checks import unknown  # noqa: E402
from experiments.runlog import Metrics, RunLog, Terminated  # noqa: E402
from gluon_models.errors import ModelError  # noqa: E402

SETTINGS["DISCOVER_SOURCES"] = "none"  # it would see only what this file imports; all sources are added below
SETTINGS["DISCOVER_DEPENDENCIES"] = "pkg"
# Python's own output alone: by file descriptor, Sacred's two tee processes mix the lines of stdout and stderr.
SETTINGS["CAPTURE_MODE"] = "sys"


class Mistake(SacredError):  # noqa: N818  Sacred prints the name before the message
    """A user's mistake, which Sacred shows in one line."""

    def __init__(self, message: str):
        super().__init__(message, print_traceback=False)


class VideoExperiment(Experiment):
    """A Sacred experiment that tells mistakes of the user's from faults of ours."""

    def run(self, *args, **kwargs):
        """As Sacred's; a mistake comes without a traceback."""
        try:
            return super().run(*args, **kwargs)
        except (UserError, DataError, ModelError) as error:
            raise Mistake(str(error)) from error
        except OSError as error:
            if compute_capability.LIBRARY not in str(error):
                raise
            raise Mistake(compute_capability.NO_DRIVER) from error
        except KeyboardInterrupt:
            print(f"\ninterrupted{_way_on()}", file=sys.stderr)
            sys.exit(130)
        except Terminated:
            print(f"\nterminated{_way_on()}", file=sys.stderr)
            sys.exit(143)

    def run_commandline(self, argv=None):
        """As Sacred's, but for what it would end with a traceback."""
        try:
            words = self._checked(_store_in_configuration(list(sys.argv if argv is None else argv)))
            if not worker.is_first():
                return _follow(words)
            if words[1:2] == ["help"] and words[2:3] and words[2] in use.OPTIONS:
                return print(use.help_of(words[2]))
            if words[1:2] and words[1] in use.OPTIONS:
                return use.run(words[1], get_config_updates(words[3:] if words[2:3] == ["with"] else words[2:])[0])
        except (UserError, DataError, ModelError) as error:
            print(f"Mistake: {'' if worker.is_first() else f'worker {worker.share()[0]}: '}{error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("\ninterrupted; nothing was written", file=sys.stderr)
            sys.exit(130)
        return super().run_commandline(words)

    def _checked(self, words: list[str]) -> list[str]:
        if words[1:2] == ["help"] and len(words) > 2 and words[2] not in self.commands:
            raise unknown("command", words[2], self.commands, "help")
        updates = words[words.index("with") + 1 :] if "with" in words else []
        for word in itertools.takewhile(lambda word: not word.startswith("-"), updates):
            if "=" not in word and word not in self.named_configs and not Path(word).is_file():
                known = ", ".join(self.named_configs)
                raise UserError(f"{word}: neither KEY=VALUE nor a file of them nor one of {known}")
            is_file = "=" not in word and word not in self.named_configs
            if worker.share()[1] > 1 and (is_file or word.partition("=")[0].strip() == "runtime"):
                # each worker reads what belongs to its machine from these words alone, and so does who resumes the job
                raise UserError(f"{word}: a job takes its settings as KEY=VALUE, such as runtime.devices=gpu")
        if {"-e", "--enforce_clean"} & set(words):
            commit, _ = surroundings.git()
            if not commit or commit["dirty"]:
                raise UserError(f"{ROOT}: {'changes that are not committed' if commit else 'no git checkout'} (-e)")
            words = [word for word in words if word not in ("-e", "--enforce_clean")]
        return words

    def _create_run(self, *args, **kwargs):
        run = super()._create_run(*args, **kwargs)
        run._metrics = Metrics(run_log, run)
        return run


def _store_in_configuration(words: list[str]) -> list[str]:
    """``-m ADDRESS`` as ``runtime.mongo=ADDRESS``."""
    for place, word in enumerate(words):
        if word in ("-m", "--mongo_db") and place + 1 < len(words):
            address, length = words[place + 1], 2
        elif word.startswith(("-m", "--mongo_db=")):
            address, length = word.removeprefix("--mongo_db=").removeprefix("-m"), 1
        else:
            continue
        del words[place : place + length]
        return [*words, *([] if "with" in words else ["with"]), f"runtime.mongo={address}"]
    return words


def _follow(words: list[str]) -> None:
    """What a worker does that is not the first: of the commands that leave a run its part, of others nothing."""
    commands = [word for word in itertools.takewhile(lambda word: word != "with", words[1:]) if word in ex.commands]
    if {*commands} <= {"train", "evaluate"} and not {"-h", "--help", "help"} & {*words}:
        follower.follow(get_config_updates(words[words.index("with") + 1 :] if "with" in words else [])[0])


def _way_on() -> str:
    """How to go on with the run that was interrupted, if there is a way."""
    if run_log.folder is None or run_log.command != "train" or worker.share()[1] > 1:  # their launcher says it
        return ""
    where = "from its last checkpoint" if (run_log.folder / "checkpoints" / "last").exists() else "from its start"
    return f"; go on {where} by: python experiments/run.py with resume={run_log.folder.name}"


ex = VideoExperiment("video_classification", base_dir=str(ROOT), save_git_info=False)
ex.captured_out_filter = apply_backspaces_and_linefeeds  # type: ignore[assignment]  # of a progress bar, its last state
ex.add_named_config("smoke", {"smoke": True})
run_log = RunLog()
ex.observers.append(run_log)
for package in ("datasets", "evaluation", "experiments", "gluon_models"):
    for source in sorted((ROOT / package).rglob("*.py")):
        ex.add_source_file(str(source))


def _configuration(fixed=None, preset=None, fallback=None):  # noqa: ARG001  Sacred's signature of a config scope
    """The entry that ``experiment`` names, under what the command line says."""
    config = configuration.resolve(fixed or {})
    if fixed:  # in place: Sacred lays it over the configuration once more
        fixed.update(configuration.typed_updates(fixed, config))
    return ConfigDict(config)(fixed=fixed, preset=preset)


# The documentation shows decorators only; appending is what Sacred itself does below them, and is tested.
ex.configurations.append(_configuration)


@ex.main
def train(_config, _run):
    """Train a model (the default command); the result is the experiment's metric after the last epoch.

    Its keys are the experiment's: print_config with experiment=NAME shows them.
    """
    return _observed(_config, _run, "train")


@ex.command
def evaluate(_config, _run):
    """Evaluate weights=RUN_ID_OR_FILE on the experiment's validation split.

    Its keys are the experiment's: print_config with weights=RUN_ID shows them.
    """
    return _observed(_config, _run, "evaluate")


@ex.command(unobserved=True)
def predict():
    """Say what is in videos: predict with weights=RUN_ID_OR_FILE input=VIDEOS output=FILE.csv."""


@ex.command(unobserved=True)
def export():
    """Write a net for other programs: export with weights=RUN_ID_OR_FILE to=FOLDER."""


@ex.command(unobserved=True)
def extract():
    """Make features of raw videos: extract with video=FILE_OR_FOLDER to=FOLDER backbone=inceptionv3."""


def _observed(config, run, command):
    subnormals.flush_to_zero()
    from experiments import devices, tasks  # imports MXNet

    entry = registry.load(config["experiment"])
    folder = run_log.folder or configuration.unrecorded_folder(config)
    if run_log.folder is None and config["resume"] is not None:
        folder = configuration.run_folder(config, config["resume"])
    elif run_log.folder is None:
        folder.mkdir(parents=True)
        Journal(folder).write("config", config)
    (folder / "entry.yaml").write_text(entry.text)
    run.info["entry"] = entry.text
    with devices.join(config["runtime"], devices.contexts(config["runtime"]["devices"])) as job:
        job.share([command, plain(config)])
        if command == "train":
            if (names := data.folder_of(config) / VOCABULARY).is_file():
                run.open_resource(str(names)).close()  # so that predict knows them where the data have gone
            run.info["checkpoint"] = str(folder / "checkpoints" / "last")
            metrics = tasks.train(config, folder, run.log_scalar, run.info, job)
        else:
            metrics = tasks.evaluate(config, run.info, job)
    if command == "evaluate":
        for name, value in metrics.items():
            run.log_scalar(f"validate.{name}", value, 0)
    print(summary.summary(entry, config, command, metrics, run._id, folder, run_log.place()))
    return metrics[config["select_by"]]


if __name__ == "__main__":
    threads.use_all_cores()
    ex.run_commandline()
