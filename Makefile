# `make help` lists the targets. Everything is installed below this folder.
SHELL := /bin/bash
PY := .venv/bin/python
PYTHON ?=
# MXNet's build for GPUs: GPU=1, which an environment of it remembers; GPU=0 goes back.
GPU ?= $(if $(wildcard .venv/.complete-gpu),1)
BUILD := $(if $(filter-out 0,$(GPU)),-gpu)
BENCHMARKS := loader convert metrics run_log flash_mnist_head train predict predict_files start_up epoch \
  sorted_training scale scaling
WITHOUT_ROUNDS := sorted_training scaling

REPRODUCE = $(if $(filter-out 0,$(QUICK)),--quick) $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(CELLS),--cells '$(CELLS)') \
  $(if $(REPLICATES),--replicates $(REPLICATES)) $(if $(JOBS),--jobs $(JOBS)) $(if $(DEVICES),--devices $(DEVICES)) \
  $(if $(CLUSTER),--cluster '$(CLUSTER)') $(if $(MONGO),--mongo '$(MONGO)')
# Loopback unless told otherwise, the pages that dask serves beside its own port too: --host does not move those.
LISTEN = --host $(or $(HOST),127.0.0.1) --no-dashboard --dashboard-address $(or $(HOST),127.0.0.1):0

.PHONY: help setup run test test-long lint data youtube8m board reproduce-paper results scheduler workers bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.complete$(BUILD) .venv-store/.complete ## environments in .venv and .venv-store, exact versions (GPU=1: for NVIDIA's GPUs)

run: setup data ## train the first experiment on real digits: six to nine minutes the first time
	$(PY) experiments/run.py with cluster_nums=32

data: setup ## Flash-MNIST from MNIST, into data/flash_mnist (MNIST_DIR=FOLDER: your copy of MNIST)
	@$(PY) -m experiments prepare flash_mnist

youtube8m: setup ## download and convert YouTube-8M: make youtube8m ARGS="--partition 2/frame/train --shard 1,100"
	@$(PY) -m datasets.youtube8m --out data/youtube8m $(ARGS)

bench: $(addprefix bench-,$(or $(CASE),$(BENCHMARKS))) ## speeds, ours beside PyTorch's and Paddle's (one of them: CASE=predict; ROUNDS=1)

$(addprefix bench-,$(BENCHMARKS)): bench-%: setup
	@$(PY) -W ignore -m benchmarks.$(if $(filter train predict,$*),models --mode $*,$*) \
	  $(if $(ROUNDS),$(if $(filter $*,$(WITHOUT_ROUNDS)),,--rounds $(ROUNDS))) $(ARGS)

$(addprefix bench-,loader convert metrics flash_mnist_head train predict epoch): .venv-peers/.complete

bench-%:
	@echo "CASE=$*: no such benchmark; $(BENCHMARKS)" >&2; exit 1

test: setup ## all tests
	$(PY) -m pytest

test-long: setup ## the tests that take minutes each
	$(PY) -m pytest -m long

lint: setup ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

reproduce-paper: setup ## what was published, run and held against it (QUICK=1 EPOCHS= CELLS= REPLICATES= JOBS= DEVICES= CLUSTER= MONGO=)
	@$(PY) -m experiments.reproduction $(REPRODUCE)

results: setup ## RESULTS.md and runs/report.html of what was run so far (QUICK=1 EPOCHS= REPLICATES=)
	@$(PY) -m experiments.reproduction --write $(REPRODUCE)

scheduler: setup ## a dask scheduler for CLUSTER=tcp://HOST:8786, docs/cluster.md (HOST=127.0.0.1 PORT=8786)
	@DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=2 .venv/bin/dask scheduler $(LISTEN) --port $(or $(PORT),8786)

workers: setup ## workers of this machine for such a scheduler, one cell or shard at a time each (CLUSTER= HOST= JOBS=1)
	@.venv/bin/dask worker '$(or $(CLUSTER),tcp://127.0.0.1:8786)' $(LISTEN) --nthreads 1 --nworkers $(or $(JOBS),1)

board: setup ## Omniboard over the recorded runs, on http://127.0.0.1:9000
	@$(PY) -m experiments.board

lock: setup ## requirements*.txt anew, from setup.py
	./tools/lock.sh

clean: ## remove the environments; data/ and runs/ stay
	rm -rf .venv .venv-store .venv-peers .omniboard *.egg-info

.venv/.complete$(BUILD): requirements$(BUILD).txt setup.py
	./tools/make_env.sh .venv requirements$(BUILD).txt "$(PYTHON)"
	@$(if $(BUILD),./tools/link_cuda.sh .venv)
	@.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The embedded run store is a server with dependencies of its own, among them another numpy.
.venv-store/.complete: requirements-store.txt
	./tools/make_env.sh .venv-store requirements-store.txt "$(PYTHON)"
	@touch $@

# PyTorch and Paddle, beside which benchmarks hold ours: PyTorch's CPU build where offered, else the one with CUDA.
.venv-peers/.complete: benchmarks/peers/requirements.txt benchmarks/peers/requirements-cuda.txt
	@./tools/make_env.sh .venv-peers benchmarks/peers/requirements.txt "$(PYTHON)" 2>/dev/null || { \
	  printf "\nsetup: PyTorch's CPU build is not to be had here; taking the one with CUDA, 3.8 GB\n"; \
	  ./tools/make_env.sh .venv-peers benchmarks/peers/requirements-cuda.txt "$(PYTHON)"; }
	@touch $@
