# The same commands on a developer's machine, in CI and on a customer's Debian 12.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11 /usr/bin/python3) python3)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: run demo test lint bench system clean

run: $(VENV)/.run ## set up and start the suite on SQLite under var/
	@exec $(BIN)/intercom-suite run $(ARGS)

demo: $(VENV)/.run ## the suite, a sample community and a simulated fleet
	@exec $(BIN)/python -m simulator.demo $(ARGS)

test: $(VENV)/.dev system ## everything the tests need, then the whole suite
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## all benchmarks, or those of ARGS
	$(BIN)/python -m bench $(ARGS)

system: ## Debian packages that only the tests need; skipped when present or not root
	@sh tests/system-packages.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; \
	  else echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; fi; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.cfg pyproject.toml $(VENV)/bin/python
	@echo "Installing into $(VENV) (first start only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
