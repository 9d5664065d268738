"""What the workers of a job say to each other, over the kvstore that their gradients take.

MXNet allows a process one distributed kvstore. Its keys hold floats, and all that is asked of it here is their sum.
"""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import mxnet as mx
import numpy as np

from experiments import worker
from experiments.errors import UserError

# Gluon's Trainer numbers its keys from 0. Ours are for pieces of 2**4 to 2**20 floats.
FIRST_KEY, SMALLEST, LARGEST = 10**6, 4, 20
BYTES = 3  # whole numbers of so many bytes are exact in float32, and so is their sum with zeros


class Collective:
    """The workers of a job. A process that nobody launched is a job of one, for which nothing happens here.

    Every worker must call the same methods in the same order.

    Args:
        kvstore: MXNet's name of one, see `experiments.devices.kvstore`; None for none.
        compression: of gradients, as MXNet takes it. None for none.

    Attributes:
        rank: this worker's number, from 0. The kvstore has numbers of its own, in any order.
        workers: how many there are.
        kvstore: for Gluon's Trainer: a name, or a distributed store.
        is_async: whether each worker's gradients change the parameters alone, on the servers.
        adds: whether sums can be had once a Trainer has begun. In dist_async its optimizer has the servers by then,
            and compressed gradients leave the store no other way of sending.
    """

    def __init__(self, kvstore: str | None = None, compression: dict[str, Any] | None = None):
        self.rank, self.workers = worker.share()
        self.compression = compression
        self.is_async = kvstore == "dist_async"
        self.adds = self.workers == 1 or not (self.is_async or compression)
        is_distributed = kvstore is not None and kvstore.startswith("dist_")
        self.kvstore: Any = mx.kv.create(kvstore) if is_distributed else kvstore
        self._keys: set[int] = set()
        self._next_key = FIRST_KEY
        if isinstance(self.kvstore, mx.kv.KVStore):
            if self.kvstore.num_workers != self.workers:
                raise UserError(f"job: {self.workers} workers here, {self.kvstore.num_workers} at its scheduler")
            if self.is_async:  # until a Trainer sends its own: MXNet's optimizer that adds
                self.kvstore.set_optimizer(mx.optimizer.Test())

    def __enter__(self) -> "Collective":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and isinstance(self.kvstore, mx.kv.KVStore):
            # Or it would wait for the others to end with it. MXNet's Python has no name for this.
            mx.base.check_call(mx.base._LIB.MXKVStoreSetBarrierBeforeExit(self.kvstore.handle, 0))

    @property
    def is_first(self) -> bool:
        """Whether this is the worker that records the run."""
        return self.rank == 0

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum of every worker's ``values``, float32 and of one shape for all."""
        if self.workers == 1:
            return values
        flat = np.ascontiguousarray(values, np.float32).ravel()  # (values,)
        pieces = [flat[start : start + 2**LARGEST] for start in range(0, len(flat), 2**LARGEST)]
        return np.concatenate([flat[:0], *map(self._sum_of_piece, pieces)]).reshape(values.shape)

    def _sum_of_piece(self, piece: np.ndarray) -> np.ndarray:
        exponent = max(SMALLEST, int(len(piece) - 1).bit_length())
        array = mx.nd.array(np.pad(piece, (0, 2**exponent - len(piece))))  # (2**exponent,)
        key = FIRST_KEY + exponent
        if self.is_async:  # there a key goes on adding
            self._next_key += 1
            key = self._next_key
        if key not in self._keys:
            self.kvstore.init(key, mx.nd.zeros_like(array))
            self._keys.add(key)
        self.kvstore.push(key, array)
        if self.is_async:
            mx.nd.waitall()
            self.kvstore._barrier()
        self.kvstore.pull(key, out=array)
        return array.asnumpy()[: len(piece)]

    def gather(self, arrays: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Every worker's named ``arrays``, by the workers' numbers, to the last bit."""
        if self.workers == 1:
            return [arrays]
        file = io.BytesIO()
        np.savez(file, **arrays)
        found = self._gather_bytes(file.getvalue())
        return [dict(np.load(io.BytesIO(content), allow_pickle=False)) for content in found]

    def gather_each(self, parts: Iterable[dict[str, np.ndarray]]) -> Iterator[list[dict[str, np.ndarray]]]:
        """`gather` of one of ``parts`` after the other; of a worker that has no more, nothing is named."""
        own = iter(parts)
        while any(found := self.gather(next(own, {}))):
            yield found

    def share(self, value: Any) -> Any:
        """The first worker's ``value``, anything that JSON holds; what the others give does not count."""
        if self.workers == 1:
            return value
        return json.loads(self._gather_bytes(json.dumps(value).encode() if self.is_first else b"")[0])

    def align(self, arrays: Sequence[mx.nd.NDArray]) -> None:
        """Give ``arrays``, of float32 and of the same shapes on all workers, the first worker's values."""
        if self.workers > 1:
            for array in arrays:
                array[:] = self.sum(array.asnumpy() if self.is_first else np.zeros(array.shape, np.float32))

    def _gather_bytes(self, content: bytes) -> list[bytes]:
        sizes = np.zeros((self.workers, 2), np.float32)  # (W, 2), in base 2**24
        sizes[self.rank] = divmod(len(content), 2**24)
        lengths = [int(high) * 2**24 + int(low) for high, low in self.sum(sizes)]
        found = []
        for number, length in enumerate(lengths):
            digits = np.zeros((-(-length // BYTES), 4), np.uint8)  # (N, 4), the last 0
            if number == self.rank:
                padded = content + bytes(-len(content) % BYTES)
                digits[:, :BYTES] = np.frombuffer(padded, np.uint8).reshape(-1, BYTES)
            total = self.sum(digits.view("<u4").ravel().astype(np.float32))  # (N,)
            found.append(total.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :BYTES].tobytes()[:length])
        return found
