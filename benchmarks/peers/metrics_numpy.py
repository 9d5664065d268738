"""Our side of the benchmark of metrics."""

from benchmarks.peers import scored
from evaluation import MetricSet

if __name__ == "__main__":
    scored.serve("ours", MetricSet)
