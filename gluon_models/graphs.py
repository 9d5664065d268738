"""When a compiled graph may be let go of.

MXNet keeps a graph for as long as an array that was computed by it is alive, also where only pending work holds that
array: the engine's thread that ends this work then frees the graph, and pushes the deletion of each of its operators.
Two threads that push work on several variables take them in different orders, and can wait for each other for ever.
So a graph is let go of by the thread that computes with it, and when nothing of it is pending. `hybridize` and `cast`
let go of it at once: release it before, where something was recorded. A net that is forgotten lets go of it whenever
Python collects garbage, in whatever thread: release it too, where others train after it.
"""

import mxnet as mx
from mxnet.gluon import HybridBlock


def release(net: HybridBlock) -> None:
    """Wait for the work under way and give back the memory of what ``net`` was compiled to; a call compiles it anew.

    The end of the work is told before its thread lets go of it. On a CPU, where a device has one thread, a second piece
    of work ends after that; of a GPU's several threads this is not known.
    """
    mx.nd.waitall()
    for context in {own for parameter in net.collect_params().values() for own in parameter.list_ctx()}:
        mx.nd.zeros(1, ctx=context).wait_to_read()
    net._clear_cached_op()
