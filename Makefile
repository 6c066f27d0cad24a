# Two commands do everything on a fresh machine: `make demo` and `make test`.
# An environment in .venv/ is made once for each set of dependencies and kept.

export PYTHONSAFEPATH := 1
export OMP_NUM_THREADS ?= 1

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint test-slow test-adapters clean

demo: .venv/.train
	@$(BIN)/python examples/demo/run.py

# Two at a time; the sandboxes by themselves, for they measure who had the processor.
test: .venv/.dev
	$(BIN)/python -m pytest -m "not slow" -n 2 -q $(if $(ARGS),$(ARGS),--ignore tests/sandbox)
ifndef ARGS
	$(BIN)/python -m pytest -m "not slow" -q tests/sandbox
endif

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow --timeout 1800

# Each side's real library in an environment of its own under .venvs/: slow the first time.
test-adapters: .venv/.dev
	$(BIN)/python tests/adapters_real/run.py $(SIDES)

clean:
	rm -rf .venv .venvs build dist *.egg-info demo runs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "referee needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.base: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv/, once: this takes some minutes"
	@$(INSTALL) -e .
	@touch $@

.venv/.train: .venv/.base
	@echo "installing into .venv/, once: this takes some minutes"
	@$(INSTALL) -e ".[train]"
	@touch $@

.venv/.dev: .venv/.base
	@echo "installing into .venv/, once: this takes some minutes"
	@$(INSTALL) -e ".[dev]"
	@touch $@ .venv/.train
