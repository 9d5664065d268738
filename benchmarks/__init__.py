"""Speeds, measured side by side in one run; never imported by the packages."""

from experiments import threads

threads.use_all_cores()  # as a run does; MXNet reads it once, when it is imported
