"""How long a step takes on many workers: parts measured here, a model of them, and real jobs to check it by."""
