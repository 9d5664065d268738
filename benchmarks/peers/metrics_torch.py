"""PyTorch's side of the benchmark of metrics: the best classes of each batch are kept, and sorted at the end."""

import numpy as np
import torch

from benchmarks.peers import measuring, scored

TOP_K = 20


class Metrics:
    """Hit@1, PERR, GAP@20 and mAP, for videos of at most 20 labels and scores above 0."""

    def __init__(self) -> None:
        self.videos, self.hit_at_1, self.perr = 0, 0.0, 0.0
        self.positives = torch.zeros(())  # (C,) from the first batch on
        self.scores: list[torch.Tensor] = []  # (B, K) each
        self.classes: list[torch.Tensor] = []  # (B, K) each
        self.hits: list[torch.Tensor] = []  # (B, K) each

    def update(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Takes in predictions and labels, (B, C) each."""
        truth = torch.from_numpy(labels)  # (B, C)
        scores, classes = torch.topk(torch.from_numpy(predictions), TOP_K, dim=1)  # (B, K) each
        hits = truth.gather(1, classes)  # (B, K)
        counts = truth.sum(1)  # (B,)
        within = torch.arange(TOP_K) < counts[:, None]  # (B, K)
        self.videos += len(truth)
        self.hit_at_1 += float(hits[:, 0].sum())
        self.perr += float(((hits * within).sum(1).double() / counts.clamp(min=1)).sum())
        self.positives = self.positives + truth.sum(0)
        self.scores.append(scores)
        self.classes.append(classes.to(torch.int16))
        self.hits.append(hits.bool())

    def get(self) -> dict[str, float]:
        """The values by name."""
        scores, classes, hits = (torch.cat(own).flatten() for own in (self.scores, self.classes, self.hits))  # (E,)
        order = scores.argsort(descending=True)  # (E,)
        classes, hits = classes[order], hits[order]
        ranks = torch.arange(1, len(hits) + 1)  # (E,)
        found = ranks[hits]  # (hits,) places of the hits
        gap = (torch.arange(1, len(found) + 1).double() / found).sum() / self.positives.sum()

        by_class = classes.long().argsort(stable=True)  # (E,) by class, within it best first
        classes, hits = classes[by_class].long(), hits[by_class]
        starts = torch.bincount(classes, minlength=len(self.positives)).cumsum(0)  # (C,) where the next class starts
        starts = torch.cat([torch.zeros(1, dtype=torch.long), starts[:-1]])  # (C,)
        before = torch.cat([torch.zeros(1, dtype=torch.long), hits.cumsum(0)])  # (E + 1,) hits before each entry
        places = hits.nonzero()[:, 0]  # (hits,)
        own = classes[places]  # (hits,)
        precisions = (before[places + 1] - before[starts[own]]).double() / (places + 1 - starts[own])  # (hits,)
        sums = torch.zeros(len(self.positives), dtype=torch.float64).index_add_(0, own, precisions)  # (C,)
        known = self.positives > 0  # (C,)
        return {
            "hit_at_1": self.hit_at_1 / self.videos,
            "perr": self.perr / self.videos,
            "gap": float(gap),
            "mean_ap": float((sums[known] / self.positives[known]).mean()),
        }


if __name__ == "__main__":
    torch.set_num_threads(measuring.threads())
    scored.serve(f"PyTorch {torch.__version__}", Metrics)
