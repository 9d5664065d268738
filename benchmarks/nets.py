"""Our nets for a case, as prediction and training have them."""

import sys
from pathlib import Path

import mxnet as mx

from benchmarks import published
from benchmarks.peers.measuring import Case
from experiments import registry
from experiments.inference.description import Description, Modality
from experiments.trained import Trained
from gluon_models import zoo
from gluon_models.dequantize import Dequantized
from gluon_models.exporting import export


def create(case: Case) -> mx.gluon.HybridBlock:
    """The case's net, which takes features as they are stored, without values."""
    arguments, _, _ = registry.split(case.numbers)
    model = zoo.create(case.numbers["model"], feature_dims=case.feature_dims, num_classes=case.classes, **arguments)
    return Dequantized(model, {name: case.ranges.get(name) for name in case.feature_dims}) if case.ranges else model


def inside(net: mx.gluon.HybridBlock) -> mx.gluon.HybridBlock:
    """What `create` has made, without what turns bytes into floats."""
    return net.net if isinstance(net, Dequantized) else net


def description(case: Case) -> Description:
    """The case's net, from outside."""
    modalities = [Modality(name, width, *case.ranges.get(name, ())) for name, width in case.feature_dims.items()]
    return Description(modalities, case.classes, case.single_label, case.numbers["seg_num"], [], {}, {})


def untrained(case: Case) -> Trained:
    """The case's net with its initial values."""
    net = create(case)
    net.collect_params().initialize()
    return Trained(net, description(case))


def write(own: Trained, folder: Path) -> None:
    """Export it to ``folder``."""
    export(own.net, folder)
    own.description.write(folder)


def main(words: list[str]) -> int:
    """``python -m benchmarks.nets MODEL FOLDER``: an untrained net of the published size, parameters and export."""
    model, folder = words[0], Path(words[1])
    own = untrained(published.case(model, "predict", 1))
    inside(own.net).save_parameters(str(folder / "net.params"))
    write(own, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
