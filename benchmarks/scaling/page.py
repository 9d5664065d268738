"""docs/scaling.md and its figure, from what was measured and the model."""

import math
import textwrap
from typing import Any

from benchmarks.scaling import tables
from benchmarks.scaling.measure import Measured
from benchmarks.scaling.model import WITHIN, Parts, saturation, step
from benchmarks.scaling.tables import LINKS, SPEEDUPS, WORKERS
from experiments.results import svg

# W workers, S servers, B bytes of gradients: as docs/devices.md has them, dist_sync.
PAGE = """\
# Scale

What 1 to 64 workers would do, by a model whose parts were measured here, and which was held against real jobs of 1, 2
and 3 workers. Jobs on several machines were not run: there was one. This page is written by

    make bench CASE=scaling ARGS="--write docs/scaling.md"

and by `ARGS="--write docs/scaling.md --read docs/scaling.json"` from the same measurements again.

{short}

## The model

`dist_sync`: each of W workers computes on its share of a batch, pushes its B bytes of gradients to S servers and pulls
their sums; every worker then takes the same step of the optimizer.

    step     = max(compute + exchange, loader)
    compute  = forward, backward and optimizer on batch / W videos
    exchange = max(worker's link, server's link, worker's work + server's work)
    worker's link = 2 B / bandwidth           server's link = 2 W b / bandwidth
    worker's work = to push and pull B        server's work = W times that of receiving, summing and returning b
    loader   = batch / W videos by one thread

b is what the busiest server gets of B: MXNet cuts arrays of a million floats or more into S equal parts, and gives each
smaller one to a single server.
{shares}

- **compute**: processor time of one thread, on straight lines through the sizes measured, beyond them too: from 8
  videos on for AttentionLSTM, whose steps take seconds. The optimizer is the same work on every worker however small
  its share. A worker of k cores is taken for k times as fast, which no real one is.
- **exchange** begins when backward has ended, and the optimizer when all sums are there. In truth a layer's gradients
  go as soon as they are there. That changes little for Attention Cluster, two thirds of whose bytes are the first
  hidden layer's, the last but one in backward; for AttentionLSTM the model is pessimistic, as three quarters of its
  bytes are of layers above the LSTMs, whose own backward takes nearly all of the time.
- **links** carry pushes, then pulls: twice B. Each machine has one, with as much in each direction; so a server on a
  worker's machine costs no more than on one of its own.
- **a server** is taken to work in one thread, one worker's array after the other: W times the work for one worker, with
  the copies to and from its sockets. A link carries while processors work; at worst the two add up.
- **latency** of an array is the work of an array of 1 kB, of which every net has some. A network's own is left out.
- **loader** works ahead on a thread of its own. Data are in memory.

## The parts, measured

{machine}

A step alone, and the loader:

{compute}

Push and pull over loopback: W workers, S servers, each array at once by all workers. Worker's and servers' work is for
the gradients of one worker.

{store}

{sum_words}

## The check

Jobs started by `python -m experiments.launch`, synthetic videos, one server, one thread a process: 64 videos a step for
Flash-MNIST's nets, 48 for the published Attention Cluster, over all workers. Here all processes share the cores, so a
step is the sum of its two phases, each as long as its longest chain of work or as all its work over the cores:

    compute  = max(c, W c / cores)        c: of a worker on its share, the loader with it
    exchange = max(w + W s / S, W (w + s) / cores)        w, s: the worker's and the servers' work for B

{check_words}

{check}

## The step, 1 to 64 workers

Published sizes and batches; workers and servers on machines of their own, with as many links; a worker computes as one
core of this machine. Efficiency is against a process that trains alone, without servers. Loopback: no link at all, the
processors alone.
{steps}
![Videos a second over workers]({figure})

The left half is the tables'; on the right a worker computes 16 times as fast, and is sooner held up by its gradients.

## Where servers saturate

A server's link is the first limit as soon as W > S. With compute = a + c batch / W, the step is shortest at

    W = sqrt(c batch S bandwidth / (2 B))        while the link is the limit, and
    W = sqrt(c batch S / s)                      while the server's work is, s seconds for one worker's gradients

and longer beyond: a worker more saves less compute than its gradients cost. By the whole model, with one server and
with four ("never": not up to a video a worker):

{saturation}

## How many servers to start

The fewest, of 1 to W, with a step within {within:.0%} of the best number's:

{servers}

**Start as many servers as workers**, on the workers' own machines: while workers exchange they do not compute, and a
server that is too many costs its start. Fewer do where compute is most of a step: few workers, slow ones, a fast link,
AttentionLSTM. `--servers N` of `experiments.launch` puts them on the machines in turn. From 10 Gbit/s on it is the
server's one thread that limits, not its link, so more than W may be better still, on machines with cores to spare; that
was not tried.

## What is not modelled

- The network's latency and its switches: between racks links are shared, and a message waits for others.
- Stragglers: a step waits for the slowest of W workers, which is slower the more there are.
- Disks: data that are not in memory come at the speed of an SSD or of a shared folder.
- Several GPUs in a machine, whose gradients are summed before they are sent; 2bit compression; `dist_async`.
- Overlap of backward and optimizer with the exchange, which would make a step shorter.
- Evaluation and checkpoints between epochs.
- Threads: a machine's memory is shared by its cores, and Adam does little but read it.
"""


def page(measured: Measured, figure_name: str | None) -> str:
    """The page; ``figure_name`` is None where no file of it is written."""
    nets = tables.published(measured)
    steps = []
    for title, parts in nets.items():
        for name, link in LINKS.items():
            heading = f"**{title}**, batch {parts.batch_size:,}, {parts.gradient_bytes / 1e6:,.0f} MB, {name}:"
            steps.append(f"\n{heading}\n\n{tables.step_table(parts, link)}\n")
    return PAGE.format(
        short=_short(nets),
        shares=_shares(nets),
        machine=_machine(measured),
        compute=tables.compute_table(measured),
        store=tables.store_table(measured),
        sum_words=_sum_words(measured),
        check_words=_check_words(measured),
        check=tables.check_table(measured),
        steps="".join(steps),
        figure=figure_name or "scaling.svg",
        saturation=tables.saturation_table(nets),
        within=WITHIN - 1,
        servers=tables.servers_table(nets),
    )


def figure(measured: Measured) -> str:
    """An SVG file: videos a second over workers, by net, link, servers and speed of the workers."""
    nets = tables.published(measured)

    def draw(own: Any) -> None:
        for row, (title, parts) in enumerate(nets.items()):
            for column, speedup in enumerate((1, 16)):
                axes = own.add_subplot(len(nets), 2, 2 * row + column + 1)
                for (name, link), colour in zip([*LINKS.items()][:3], svg.COLOURS, strict=False):
                    for servers, dash in (("S = W", "-"), ("S = 1", ":")):
                        rates = [
                            parts.batch_size
                            / step(parts, workers, workers if servers == "S = W" else 1, link, speedup).seconds
                            for workers in WORKERS
                        ]
                        axes.plot(WORKERS, rates, dash, color=colour, label=f"{name}, {servers}")
                axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="videos/s")
                axes.set_xticks(WORKERS, [str(workers) for workers in WORKERS])
                axes.minorticks_off()
                axes.set_title(f"{title}, workers compute {SPEEDUPS[speedup]}")
                if row + column == 0:
                    axes.legend(fontsize=6)

    drawn = svg.drawing("scaling", "Videos a second over the number of workers", (9.0, 3.6 * len(nets)), draw)
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return drawn.replace("<svg ", f'<svg {names} style="background:white" ', 1) + "\n"


def _shares(nets: dict[str, Parts]) -> str:
    words = [
        f"{title}: {parts.gradient_bytes / 1e6:,.0f} MB in {len(parts.keys)} arrays, the busiest of 8 servers has "
        f"{8 * max(map(sum, parts.pieces(8))) / parts.gradient_bytes - 1:.1%} more than its eighth"
        for title, parts in nets.items()
    ]
    return _wrapped("; ".join(words) + ".")


def _machine(measured: Measured) -> str:
    low, middle, high = measured["load"]
    return _wrapped(
        f"The machine: {measured['processor']}, {measured['cores']} cores, with a load, ours and others', of "
        f"{low:.1f} to {high:.1f}, median {middle:.1f}. So the parts are processor seconds; the clock stands beside "
        "them to say how busy it was. Videos of YouTube-8M's shape have 210 frames each, the mean of 120 to 300."
    )


def _sum_words(measured: Measured) -> str:
    copied, added, size = tables.server_ns(measured)
    return _wrapped(
        f"The servers' sums: of an array of {size / 1e6:,.0f} MB the first worker's, which is copied, costs a server "
        f"{copied:.2f} ns a byte, each other's, which is added, {added:.2f} ns; both with the way in and out."
    )


def _check_words(measured: Measured) -> str:
    rows = tables.check_rows(measured)
    work, seconds = ([row[f"predicted_{what}"] / row[what] for row in rows] for what in ("work", "seconds"))
    return _wrapped(
        f"Predicted over measured: **work {min(work):.2f} to {max(work):.2f}, step {min(seconds):.2f} to "
        f"{max(seconds):.2f}**. The cores are those that the job had: its own processor time and what was idle, by the "
        "clock. Where others take all that is left, that makes the second ratio the first one by its definition, and "
        "what is checked is the work. The chains, which decide on machines of their own, show on an idle machine alone."
    )


def _short(nets: dict[str, Parts]) -> str:
    words = []
    for title, parts in nets.items():
        one = step(parts, 1, 1, math.inf).compute  # a process that trains alone exchanges nothing
        times = [one / step(parts, 64, 64, link).seconds for link in LINKS.values()]
        most = saturation(parts, 1, LINKS["10 Gbit/s"])
        words.append(
            f"{title} with 64 workers of one core and 64 servers is {times[0]:.1f} times as fast as one worker alone "
            f"at 1 Gbit/s, {times[1]:.1f} at 10, {times[2]:.1f} at 25; with a single server at 10 Gbit/s {most} "
            "workers are the best number, and more are slower."
        )
    return _wrapped("In short: " + " ".join(words) + " Start as many servers as workers.")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)
