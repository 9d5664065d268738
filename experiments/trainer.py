"""Gluon's Trainer for several devices, several workers and their checkpoints."""

from pathlib import Path

import mxnet as mx
from mxnet import gluon

from experiments import mixed_precision
from experiments.collective import Collective


class Trainer(gluon.Trainer):
    """Sums the gradients of all devices and workers; then each device takes the same step.

    In dist_async the optimizer is on the servers instead, where MXNet offers no way to its state: such a checkpoint
    has none.

    Args:
        model: whose parameters are trained, with values.
        optimizer: MXNet's.
        job: the workers.

    Attributes:
        loss_scale: None where all is float32.
        on_servers: whether the optimizer is there; it then knows the first `step`'s size of a batch alone.
        adds_gradients: whether those of one backward pass are added to those of the last.
    """

    def __init__(self, model: gluon.Block, optimizer: mx.optimizer.Optimizer, job: Collective):
        # Where Gluon is left to choose, the optimizer runs in the kvstore, out of the reach of a checkpoint.
        super().__init__(
            model.collect_params(),
            optimizer,
            kvstore=job.kvstore,
            compression_params=job.compression,
            update_on_kvstore=job.is_async,
        )
        self._job = job
        self.loss_scale = mixed_precision.LossScale(self) if mixed_precision.is_on() else None
        self.on_servers = job.is_async
        self.adds_gradients = False
        if self.on_servers:  # what the parameters say of themselves is not sent to the servers
            optimizer.set_lr_mult({number: own.lr_mult for number, own in enumerate(self._params)})
            optimizer.set_wd_mult({number: own.wd_mult for number, own in enumerate(self._params)})

    def add_gradients(self) -> None:
        """Add up the gradients of several backward passes from now on; `zero_gradients` before a step's first."""
        self.adds_gradients = True
        for parameter in self._params:
            if parameter.grad_req != "null":
                parameter.grad_req = "add"

    def zero_gradients(self) -> None:
        """For devices without a video in a batch, too: their last gradients would be summed again."""
        for parameter in self._params:
            parameter.zero_grad()
            for array in parameter.list_data():
                array._fresh_grad = True  # or Gluon would take it for a mistake

    def save_states(self, fname: str) -> None:
        """As Gluon's; in dist_async nothing is written."""
        if not self.on_servers:
            super().save_states(fname)

    def load_states(self, fname: str) -> None:
        """As Gluon's, also for other devices than it was saved from, and without a word to the other workers."""
        if not self.on_servers:
            self._take(Path(fname).read_bytes())

    def align(self) -> None:
        """Bring every worker's optimizer to where the first one's is, before the first step."""
        if self._job.workers == 1 or self.on_servers:
            return
        updater, optimizer = self._updaters[0], self._optimizer
        numbers = {name: value for name, value in vars(optimizer).items() if type(value) in (int, float)}
        vars(optimizer).update(self._job.share(numbers))
        for number, parameter in enumerate(self._params):
            if number not in updater.states:
                weight = parameter.list_data()[0]
                updater.states[number] = optimizer.create_state_multi_precision(number, weight)
        self._job.align([array for number in sorted(updater.states) for array in _arrays(updater.states[number])])
        self._take(updater.get_states(dump_optimizer=True))

    def _take(self, states: bytes) -> None:
        for updater in self._updaters:
            updater.set_states(states)
            updater.optimizer = self._updaters[0].optimizer
        self._optimizer = self._updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))
        # Steps are counted by device; one that was not there when this was saved would count from 0.
        counts = dict.fromkeys(range(len(self._params)), self._optimizer.num_update)
        self._optimizer._all_index_update_counts = {own.device_id: dict(counts) for own in self._contexts}

    def _init_params(self) -> None:
        super()._init_params()
        mx.nd.waitall()  # on a CPU the first push overtakes this pull, which then brings gradients for parameters

    def _allreduce_grads(self) -> None:
        if not (self._distributed and self._compression_params):
            super()._allreduce_grads()
            return
        for number, parameter in enumerate(self._params):  # as Gluon's, whose pushpull MXNet refuses to compress
            if parameter.grad_req != "null":
                self._kvstore.push(number, parameter.list_grad(), priority=-number)
                out = parameter.list_data() if self._update_on_kvstore else parameter.list_grad()
                self._kvstore.pull(number, out, priority=-number)


def _arrays(state: object) -> list[mx.nd.NDArray]:
    """The arrays of an optimizer's state of one parameter: one, a nest of tuples, or none."""
    if isinstance(state, tuple | list):
        return [array for part in state for array in _arrays(part)]
    return [state] if isinstance(state, mx.nd.NDArray) else []
