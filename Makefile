# Every target makes the environment first (once; afterwards that check takes a blink).
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help environment demo test lint check bench docs lock clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

environment:
	@$(PYTHON) scripts/bootstrap.py

demo: environment  ## see it work: no key, no network, the model is on board
	@$(BIN)/orchestrator demo

test: environment  ## run all tests, the local model included
	@$(BIN)/python -m pytest -n 4 --dist worksteal

lint: environment  ## lint, format, types, contracts of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint  ## the same, and what tests say of the code's shape
	@$(BIN)/python -m pytest -q tests/shape

bench: environment  ## make every number that we claim again
	@$(BIN)/python -m benchmarks

docs: environment  ## check that the documents agree with the program
	@$(BIN)/python scripts/docs.py --check

lock:  ## resolve requirements.lock anew from pyproject.toml
	@$(PYTHON) scripts/bootstrap.py --lock

clean:  ## remove the environment and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
