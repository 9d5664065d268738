"""A run's checkpoints: everything that training needs to go on, whole or not there at all."""

import json
import os
import pickle
import shutil
import time
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import gluon

from experiments.errors import UserError
from experiments.trainer import Trainer


class Checkpoints:
    """The folder ``checkpoints`` of a run.

    It holds one folder a checkpoint, ``epoch-0003-step-000120``, with ``net.params``, ``trainer.states`` and
    ``progress.json``, and two links, ``last`` and ``best``. Others are removed.

    Args:
        folder: need not exist yet. None for a worker that saves nothing and finds nothing.
        model: whose parameters are saved and loaded.
        seconds: after which another checkpoint is due within an epoch.
    """

    def __init__(self, folder: Path | None, model: gluon.Block, seconds: float = 300.0):
        self.folder = folder
        self.model = model
        self.seconds = seconds
        self._saved = time.monotonic()

    def is_due(self) -> bool:
        """Whether more would be lost now than may be."""
        return self.folder is not None and time.monotonic() - self._saved >= self.seconds

    def save(self, epoch: int, trainer: Trainer, progress: dict[str, Any], best: bool = False) -> None:
        """Write the state after ``epoch`` complete epochs, aside first and then renamed.

        Args:
            epoch: complete epochs.
            trainer: whose optimizer's state is saved with the parameters.
            progress: anything that JSON holds; ``step`` says how many steps were made.
            best: whether ``best`` is to name this checkpoint.
        """
        if self.folder is None:
            return
        target = self.folder / f"epoch-{epoch:04d}-step-{progress['step']:06d}"
        aside = self.folder / f".{target.name}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        self.model.save_parameters(str(aside / "net.params"))
        trainer.save_states(str(aside / "trainer.states"))
        scale = {"loss_scale": trainer.loss_scale.state()} if trainer.loss_scale else {}
        (aside / "progress.json").write_text(json.dumps({"epoch": epoch, **progress, **scale}, indent=1))
        for path in aside.iterdir():
            _onto_disk(path)
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
        _link(self.folder / "last", target)
        if best:
            _link(self.folder / "best", target)
        kept = {(self.folder / name).resolve() for name in ("last", "best")}
        for other in self.folder.glob("epoch-*"):
            if other.resolve() not in kept:
                shutil.rmtree(other)
        self._saved = time.monotonic()

    def load_last(self, trainer: Trainer) -> dict[str, Any] | None:
        """Bring the model and ``trainer`` to the last checkpoint; its progress, or None if there is none.

        Raises:
            UserError: if it cannot be read.
        """
        if self.folder is None or not (last := self.folder / "last").exists():
            return None
        try:
            self.model.load_parameters(str(last / "net.params"), ctx=self.model.collect_params().list_ctx())
            if (last / "trainer.states").exists():
                trainer.load_states(str(last / "trainer.states"))
            else:
                print(f"{last}: no optimizer's state in it, as dist_async saves none; it starts anew")
            return json.loads((last / "progress.json").read_text())
        except (mx.MXNetError, OSError, ValueError, AssertionError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(f"{last}: the checkpoint is damaged ({type(error).__name__}); start a new run") from error


def _link(link: Path, target: Path) -> None:
    aside = link.with_name(f".{link.name}.tmp")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target.name)
    aside.replace(link)


def _onto_disk(path: Path) -> None:
    """Wait until ``path`` would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
