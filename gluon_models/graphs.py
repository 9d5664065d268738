"""When a compiled graph may be let go of.

MXNet keeps a graph for as long as an array that was computed by it is alive, also where only pending work holds that
array: the engine's thread that ends this work then frees the graph, and pushes the deletion of each of its operators.
Two threads that push work on several variables take them in different orders, and can wait for each other for ever.
So a graph is let go of by the thread that computes with it, and when nothing of it is pending.
"""

import mxnet as mx
from mxnet.gluon import HybridBlock


def release(net: HybridBlock) -> None:
    """Wait for the work under way and give back the memory of what ``net`` was compiled to; a call compiles it anew."""
    mx.nd.waitall()
    for context in next(iter(net.collect_params().values())).list_ctx():
        mx.nd.zeros(1, ctx=context).wait_to_read()  # so the device's thread has let go of what it did before, too
    net._clear_cached_op()
