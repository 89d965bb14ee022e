# `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BROKER ?= auto

.DEFAULT_GOAL := help
# The tests in shares of a few minutes: side by side, because they wait more than they work. Each has a broker of its own.
WAREHOUSE := $(wildcard tests/integration/test_warehouse_*.py)
PROCESSES := tests/faults/test_up.py tests/faults/test_workers.py
with-warehouse: SHARE = $(WAREHOUSE)
with-others: SHARE = $(filter-out $(WAREHOUSE),$(wildcard tests/integration/test_*.py))
with-processes: SHARE = $(PROCESSES)
with-faults: SHARE = $(filter-out $(PROCESSES),$(wildcard tests/faults/test_*.py))
without-broker: SHARE = tests/unit tests/properties tests/contracts tests/scenarios
# The longest begin first.
WITH_BROKER := with-others with-processes with-faults with-warehouse
SIDE_BY_SIDE := --no-print-directory --jobs=3 --output-sync=target --keep-going

.PHONY: help setup demo up test test-kafka without-broker $(WITH_BROKER) check format bench lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.done ## fill .venv, and fetch Apache Kafka's jars where Java and Maven are there

$(VENV)/.done: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, not " + sys.version.split()[0] + ": make setup PYTHON=/path/to/python3.11")'
	@echo 'filling $(VENV): once, about a minute'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m streams.laptop.brokers.jars
	@touch $@

demo: setup ## break a real service and watch: KEEP=1 stays up, BROKER=wheel|apache|HOST:PORT
	$(BIN)/tocsin demo --broker $(BROKER) $(if $(KEEP),--keep)

up: setup ## run everything on this machine: BROKER=wheel|apache|HOST:PORT
	$(BIN)/tocsin up --broker $(BROKER)

test: setup ## all tests, with a broker from a wheel
	@echo 'five groups of tests, three at a time: each is printed when it ends, the first after two minutes'
	@$(MAKE) $(SIDE_BY_SIDE) $(WITH_BROKER) without-broker TOCSIN_TEST_BROKER=wheel

test-kafka: setup ## the tests that need a broker, with Apache Kafka
	$(BIN)/python -m streams.laptop.brokers.jars --required
	@echo 'four groups of tests, three at a time: each is printed when it ends, the first after some minutes'
	@$(MAKE) $(SIDE_BY_SIDE) $(WITH_BROKER) TOCSIN_TEST_BROKER=apache

$(WITH_BROKER) without-broker:
	$(BIN)/pytest -q -p no:cacheprovider --durations=5 $(SHARE)

check: setup ## lint, format, types, import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format, and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## measure: NAME=…
	$(BIN)/tocsin bench $(NAME)

lock: ## write the lock files anew; needs uv
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra laptop --extra dev \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file deploy/requirements.lock

clean: ## remove .venv and what tools left
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
