# Two commands matter: `make study` runs a sweep and draws its page, `make test` runs the tests.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SWEEP ?= sweeps/sigma_ablation.yaml
SIXTEEN := $(filter-out %/lottery.yaml %/released_checkpoints.yaml,$(wildcard sweeps/*.yaml))
ARGS ?=
.DEFAULT_GOAL := help
MARKERS ?= not slow and not gpu and not slurm
WORKERS ?= auto
BIN := .venv/bin

.PHONY: help study test check cluster cluster-down examples clean

help:  # this list
	@sed -n 's/^\([a-z-]*\):[^#]*# \(.*\)/make \1#\2/p' $(MAKEFILE_LIST) | column -t -s '#'

study: .venv/installed  # run SWEEP with ARGS on this machine, draw its page
	$(BIN)/python -m studies.run $(SWEEP) $(ARGS)
	$(BIN)/python -m studies.report

test: .venv/installed-test  # the tests with these MARKERS
	$(BIN)/python -m pytest -m "$(MARKERS)" --numprocesses $(WORKERS) --dist loadfile $(ARGS)

check: .venv/installed-test  # the linter and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

cluster:  # a real SLURM for the tests, until `make cluster-down`
	$(PYTHON) -m tests.cluster up

cluster-down:  # end that cluster
	$(PYTHON) -m tests.cluster down

examples: .venv/installed  # the committed pages: the sixteen sweeps on digits, one on photographs too
	$(BIN)/python -m studies.run $(SIXTEEN)
	$(BIN)/python -m studies.run sweeps/sigma_ablation.yaml --preset photos
	$(BIN)/python -m studies.report --out reports/examples --brief \
		--whole sigma_ablation-digits sigma_ablation-photos

clean:  # remove the environment and caches, never a store or a page
	rm -rf .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
