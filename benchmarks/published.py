"""The published nets for YouTube-8M as cases of a benchmark, and the work that a video is for them."""

from benchmarks.peers.measuring import Case
from datasets.layout import YOUTUBE8M_CLASSES, YOUTUBE8M_RANGE
from experiments import registry

MODELS = ("attention_cluster", "attention_lstm")
AT_ONCE = {"attention_lstm": 64}  # videos, of which a run on a CPU computes a larger batch in pieces
WIDE = ("attention_cluster",)  # those with a layer so large that the way round in which it is multiplied counts
# Steps between two looks at the clock. A run, too, waits for the device only where it records the loss; its next batch
# is copied in meanwhile. A step of AttentionLSTM takes seconds.
STEPS = {"attention_cluster": 4, "attention_lstm": 1}
FEATURE_DIMS = {"rgb": 1024, "audio": 128}
FRAMES = 100  # what Attention Cluster sees of a video; as many are given to AttentionLSTM, which takes any number


def entry(model: str) -> str:
    """The name of the registry's entry that has the published numbers of ``model``."""
    return f"{model}_youtube8m"


def case(model: str, mode: str, batch_size: int) -> Case:
    """The published net of ``model`` at work on batches of ``batch_size`` videos."""
    return Case(
        mode=mode,
        numbers=registry.flatten(registry.load(entry(model))),
        batch_size=batch_size,
        frames=FRAMES,
        feature_dims=FEATURE_DIMS,
        ranges=dict.fromkeys(FEATURE_DIMS, YOUTUBE8M_RANGE),
        classes=YOUTUBE8M_CLASSES,
        single_label=False,
        steps=STEPS[model] if mode == "train" else 1,
    )


def flops(case: Case) -> int:
    """Multiplications and additions in the matrix products of one video, an exact count for these two models.

    A backward pass has two products for each of the forward's, one for either factor's gradient; no gradient is
    wanted of the features.
    """
    numbers = case.numbers
    of_features, others, width = 0, 0, 0  # products that the features are a factor of, and all others
    for own in case.feature_dims.values():
        if numbers["model"] == "attention_cluster":
            units = numbers["cluster_nums"]
            of_features += 2 * (2 * case.frames * own * units)  # scores, weighted sums
            width += units * own
        else:
            embedding, size = numbers["embedding_size"], numbers["lstm_size"]
            of_features += 2 * case.frames * own * embedding
            others += 2 * (2 * case.frames * 4 * size * (embedding + size))  # both directions, four gates
            others += 2 * (2 * case.frames * 2 * size)  # scores, weighted sums
            width += 2 * size
    for units in [*numbers["hidden_units"], case.classes]:
        others += 2 * width * units
        width = units
    return of_features + others if case.mode == "predict" else 2 * of_features + 3 * others
