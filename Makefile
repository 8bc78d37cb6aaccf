# Two commands do everything: `make run` serves, `make test` checks. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
export FORMFACT_HOME ?= var
# Two processes with a thread each: torch's threads would otherwise wait for each other on two cores.
TWO_AT_ONCE = OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: help install run test test-browser test-slow lint types check evals train clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## create the virtual environment

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing (the first time takes minutes; torch is the largest part)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: install ## prepare the home and serve on 127.0.0.1:$(PORT)
	@$(BIN)/formfact serve --port $(PORT)

test: lint types ## lint, types and tests, in a few minutes
	$(TWO_AT_ONCE) -m "not slow and not browser and not hostile"

test-browser: install ## the console in a real browser; needs Chromium
	$(BIN)/pytest -m browser

test-slow: install ## the tests that take longer: training, all development cases
	$(TWO_AT_ONCE) -m slow

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

evals: install ## answer the development cases
	$(BIN)/formfact evals run --cases dev

train: install ## train the shipped adapter anew (about ten minutes)
	$(BIN)/formfact adapters train

clean: ## remove the virtual environment; the home stays
	rm -rf $(VENV) *.egg-info
