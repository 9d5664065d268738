"""Experiments: named in the registry, prepared, trained, recorded and reported."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # where data/ and runs/ lie unless told otherwise
