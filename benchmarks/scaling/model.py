"""The model: how long a step of training takes on W workers and S servers, from measured parts.

dist_sync: every worker computes on its share of the batch, pushes all gradients to the servers and pulls their sums.
What is measured is processor seconds of one thread; docs/scaling.md says what each term assumes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BYTES = 4  # of a gradient's float32
SPLIT_ABOVE = 1_000_000  # floats; MXNet cuts a parameter of so many or more into equal parts, one a server
WITHIN = 1.05  # of the best step time: so many servers are enough

Points = Sequence[tuple[float, float]]  # (x, y), x rising


@dataclass(frozen=True)
class Parts:
    """What was measured of a net, in processor seconds.

    Attributes:
        batch_size: videos a step, over all workers.
        keys: floats of each parameter.
        compute: (videos, seconds): forward, backward and optimizer on a share of so many.
        worker: (bytes, seconds): a worker pushes and pulls one array of so many.
        server: (bytes, seconds): a server receives, sums and returns one array of one worker.
        loader: seconds to load a video.
    """

    batch_size: int
    keys: Sequence[int]
    compute: Points
    worker: Points
    server: Points
    loader: float

    @property
    def gradient_bytes(self) -> int:
        """That a worker pushes in a step, and pulls."""
        return BYTES * sum(self.keys)

    def share(self, workers: int) -> int:
        """Videos of the worker that has most."""
        return math.ceil(self.batch_size / workers)

    def pieces(self, servers: int) -> list[list[float]]:
        """What a worker sends to each server: the bytes of each array, by MXNet's own rule."""
        sent: list[list[float]] = [[] for _ in range(servers)]
        for number, floats in enumerate(self.keys):
            if floats >= SPLIT_ABOVE:
                for own in sent:
                    own.append(BYTES * floats / servers)
            else:
                sent[number * 9973 % servers].append(BYTES * floats)
        return sent

    def worker_work(self) -> float:
        """Of one worker, to push and pull all gradients."""
        return sum(interpolate(self.worker, BYTES * floats) for floats in self.keys)

    def server_work(self, servers: int) -> list[float]:
        """Of each server, for one worker's gradients."""
        return [sum(interpolate(self.server, size) for size in own) for own in self.pieces(servers)]


@dataclass(frozen=True)
class Step:
    """The seconds of a step's parts; see `step`."""

    compute: float
    worker_link: float
    server_link: float
    worker_work: float
    server_work: float
    loader: float

    @property
    def exchange(self) -> float:
        """Of gradients: as long as the links take, or the processors behind them, one after the other."""
        return max(self.worker_link, self.server_link, self.worker_work + self.server_work)

    @property
    def seconds(self) -> float:
        """From one step to the next."""
        return max(self.compute + self.exchange, self.loader)


def interpolate(points: Points, x: float) -> float:
    """The y at ``x`` of straight lines through ``points``; the outer lines go on, but to no y below 0.

    Of a single point it is the point's own.
    """
    if len(points) == 1:
        return points[0][1]
    after = next((number for number, (at, _) in enumerate(points) if number and at >= x), len(points) - 1)
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return max(0.0, y0 + (y1 - y0) * (x - x0) / (x1 - x0))


def step(parts: Parts, workers: int, servers: int, bandwidth: float, speedup: float = 1.0) -> Step:
    """A step on machines of their own, one for each worker and each server.

    Args:
        parts: of the net.
        workers: how many.
        servers: how many.
        bandwidth: bytes a second of every machine's link, in each direction.
        speedup: how many times as fast as the measured one a worker computes.
    """
    busiest = max(sum(own) for own in parts.pieces(servers))  # bytes of one worker
    return Step(
        compute=interpolate(parts.compute, parts.share(workers)) / speedup,
        worker_link=2 * parts.gradient_bytes / bandwidth,
        server_link=2 * workers * busiest / bandwidth,
        worker_work=parts.worker_work(),
        server_work=workers * max(parts.server_work(servers)),
        loader=parts.share(workers) * parts.loader,
    )


def enough_servers(parts: Parts, workers: int, bandwidth: float, speedup: float = 1.0) -> int:
    """The smallest number of servers, of 1 to ``workers``, whose step is within 5 % of the best one's."""
    seconds = [step(parts, workers, servers, bandwidth, speedup).seconds for servers in range(1, workers + 1)]
    return next(number for number, own in enumerate(seconds, start=1) if own <= WITHIN * min(seconds))


def saturation(parts: Parts, servers: int, bandwidth: float, speedup: float = 1.0) -> int:
    """The number of workers, up to one a video, at which ``servers`` give the shortest step: with more it is longer."""
    shares = range(1, parts.batch_size + 1)
    return min(shares, key=lambda workers: step(parts, workers, servers, bandwidth, speedup).seconds)


def shared_work(parts: Parts, workers: int, servers: int) -> float:
    """Processor seconds of a step, of all workers and servers together."""
    own = interpolate(parts.compute, parts.share(workers)) + parts.share(workers) * parts.loader
    return workers * (own + parts.worker_work() + sum(parts.server_work(servers)))


def shared_step(parts: Parts, workers: int, servers: int, cores: float) -> float:
    """Seconds of a step where all processes share ``cores`` of one machine, of one thread each.

    Neither of the two phases ends before its longest chain of work, nor before all of its work is done.
    """
    compute = interpolate(parts.compute, parts.share(workers)) + parts.share(workers) * parts.loader
    own, by_server = parts.worker_work(), parts.server_work(servers)
    chain = own + workers * max(by_server)
    one = min(1.0, cores)  # of a core, for a process that runs alone
    exchange = max(chain / one, workers * (own + sum(by_server)) / cores)
    return max(compute / one, workers * compute / cores) + exchange
