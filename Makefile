# Every target sets up what it needs by itself: a machine with make and Python 3.11 or newer is enough.
#
#   make up       run the services that config.yaml names; what is saved meanwhile is taken
#   make test     run all tests (PYTEST_ARGS="-k name" hands options on)
#   make check    lint, types, floors, reference pages
#   make docs     write the reference pages of docs/ and the grammar of editors/ from the tables
#   make bench    measure what benchmarks/README.md claims
#   make clean    remove the environment and all that was built
#
# The environment is .venv. It is made once, and again whenever pyproject.toml changes.
# Another interpreter: make test PYTHON=/path/to/python3.13

VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= config.yaml
PYTEST_ARGS ?=

# An environment whose interpreter has gone is no environment.
$(shell test ! -e $(VENV) || $(BIN)/python -c '' >/dev/null 2>&1 || rm -rf $(VENV))

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help up test check docs bench clean
.DELETE_ON_ERROR:

help:
	@sed -n '3,8s/^# *//p' Makefile

up: $(VENV)/.installed
	@$(BIN)/etamil-actors up --watch $(CONFIG)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floors.py
	$(BIN)/python tools/reference_pages.py --check
	$(BIN)/python tools/editor_files.py --check

docs: $(VENV)/.installed-dev
	$(BIN)/python tools/reference_pages.py
	$(BIN)/python tools/editor_files.py

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist etamil_actors.egg-info .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough and can make an environment is taken. A new pip writes a console
# command that starts some milliseconds sooner; without one the old will do.
$(VENV)/.made:
	@rm -rf $(VENV)
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  echo "$$python -m venv $(VENV)"; \
	  "$$python" -m venv $(VENV) || { rm -rf $(VENV); continue; }; \
	  $(BIN)/python -m pip install --quiet --upgrade pip || true; \
	  touch $@; exit 0; \
	done; \
	echo "✗ Python 3.11 அல்லது புதியது, venv தொகுதியுடன் தேவை  (Python 3.11 or newer with its venv module is needed)" >&2; \
	exit 1

$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable .
	@$(BIN)/python -m compileall -q etamil_actors
	@touch $@

# Compiled now, so that the first start is as quick as the next, also where Python may not write bytecode.
# Whoever has the tools for development has the plain install as well.
$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@$(BIN)/python -m compileall -q etamil_actors
	@touch $(VENV)/.installed $@
