"""What every worker of a job runs in test_collective.py: the name of a kvstore is its argument."""

import sys

import mxnet as mx
import numpy as np

from experiments.collective import LARGEST, Collective

with Collective(sys.argv[1]) as job:
    rank, workers = job.rank, job.workers
    for size in (1, 16, 17, 1000, 2**LARGEST + 3):  # the last goes in two pieces
        for factor in (1, 2, 0.5):
            own = np.arange(size, dtype=np.float32) * (rank + 1) * factor
            assert np.array_equal(job.sum(own), np.arange(size) * sum(range(1, workers + 1)) * factor), (size, factor)
    random = np.random.default_rng(rank)
    own = {"numbers": random.random(300), "flags": random.random((5, 2)) < 0.5, "none": np.zeros((0, 3), np.int16)}
    for number, found in enumerate(job.gather(own)):
        random = np.random.default_rng(number)
        assert np.array_equal(found["numbers"], random.random(300))
        assert np.array_equal(found["flags"], random.random((5, 2)) < 0.5)
        assert found["none"].shape == (0, 3)
        assert found["none"].dtype == np.int16
    rounds = list(job.gather_each({"part": np.array([rank, part])} for part in range(rank + 1)))
    assert len(rounds) == workers  # the last has most
    for part, found in enumerate(rounds):
        assert [own["part"].tolist() for own in found if own] == [[number, part] for number in range(part, workers)]
    assert job.share({"step": 3, "best": float("-inf")} if job.is_first else None) == {"step": 3, "best": float("-inf")}
    arrays = [mx.nd.full((2, 3), rank + 0.1), mx.nd.full((1,), -rank)]
    job.align(arrays)
    assert arrays[0].asnumpy().tolist() == np.full((2, 3), 0.1, np.float32).tolist()
    assert arrays[1].asscalar() == 0
    print("all well")
