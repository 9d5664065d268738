"""``python -m experiments.inference DIR INPUT``: predict by an exported net, in MXNet or onnxruntime alone."""

import argparse
import sys
from pathlib import Path

from datasets.errors import DataError
from experiments import inference
from experiments.errors import UserError
from experiments.inference import description, engines, videos


def main(arguments: list[str]) -> int:
    """Predict; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.inference", description=__doc__)
    parser.add_argument("net", type=Path, help="folder that `run.py export` wrote")
    parser.add_argument("input", type=Path, help="data file, TFRecord, pickle, CSV of own data, folder or list of them")
    parser.add_argument("--engine", default="mxnet", help=f"{' or '.join(engines.NAMES)} (%(default)s)")
    parser.add_argument("--provider", help="of onnxruntime, such as CUDAExecutionProvider (CPUExecutionProvider)")
    parser.add_argument("--output", type=Path, help="file to write: .csv as Kaggle's, or .jsonl")
    parser.add_argument("--top-k", type=int, default=20, help="best classes a video (%(default)s)")
    at_once = inference.Request.batch_size
    parser.add_argument("--batch-size", type=int, default=at_once, help="videos at once (%(default)s)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out what cannot be used, and list it")
    given = parser.parse_args(arguments)
    try:
        request = inference.Request(
            given.input,
            given.output,
            given.top_k,
            given.batch_size,
            given.skip_bad,
            skip_bad_by="--skip-bad",
            names_by=f"`run.py export with ... to={given.net} vocabulary=FILE`",
        )
        request.check()
        if raw := videos.look(given.input, given.skip_bad).raw:
            way = f"python experiments/run.py predict with weights={given.net} input={given.input}"
            raise UserError(f"{raw[0]}: a raw video, whose features are to be made first: {way}")
        net = description.read(given.net)
        engine = engines.open_engine(given.engine, given.net, net, given.provider)
        inference.run(request, net, engine)
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
