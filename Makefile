# Two commands do everything on a fresh machine: `make demo` and `make test`.
# An environment in .venv/ is made once for each set of dependencies and kept.

export PYTHONSAFEPATH := 1
export OMP_NUM_THREADS ?= 1

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint test-slow clean

demo: .venv/.train
	$(BIN)/python examples/demo/run.py

test: .venv/.dev
	$(BIN)/python -m pytest -m "not slow"

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow --timeout 3600

clean:
	rm -rf .venv build dist *.egg-info demo runs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.base: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e .
	touch $@

.venv/.train: .venv/.base
	$(INSTALL) -e ".[train]"
	touch $@

.venv/.dev: .venv/.base
	$(INSTALL) -e ".[dev]"
	touch $@ .venv/.train
