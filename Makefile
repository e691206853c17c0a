# Market Spine. `make help` lists what can be done; every target installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?=
BIN := .venv/bin
# Test files share the machine's cores; the servers are started once a run.
WORKERS ?= 2
PYTEST := $(BIN)/pytest -q
export PYTHON

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  make %-12s %s\n", $$1, $$2}'

# The stamp is newer than everything the environment is made from.
.venv/.synced: pyproject.toml uv.lock $(wildcard libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml) scripts/bootstrap.sh
	@sh scripts/bootstrap.sh
	@touch $@

.PHONY: install
install: .venv/.synced ## Put uv, Python packages and the spine command into the project's folder

.PHONY: demo
demo: install ## Run the whole job on synthetic weeks, in one process, and show the numbers
	@$(BIN)/spine demo

.PHONY: test
test: install ## Run every test, the chaos suite in short; starts private servers where there are none
	$(PYTEST) -n $(WORKERS) --dist loadgroup -m "(not chaos and not soak) or quick"

LIBRARY := libs/spine_common/tests
UNIT := $(addprefix $(LIBRARY)/,core contracts domains observability bootstrap adapters/storage adapters/sources adapters/bus)

.PHONY: unit
unit: install ## Run the tests of the library's parts that need no server (seconds)
	$(PYTEST) -n $(WORKERS) -m "not server and not slow and not chaos" $(UNIT)

.PHONY: check
check: install ## Check format, lint, types and layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: isolated
isolated: install ## Install and import each service alone: a missing dependency shows
	@sh scripts/isolated.sh

.PHONY: lint
lint: install ## Format the code and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: up
up: install ## Run everything in one process on the embedded default, API on port 8000
	$(BIN)/spine up

.PHONY: servers
servers: install ## Run a private RabbitMQ (management UI on) and PostgreSQL; prints their URLs
	$(BIN)/python -m spine_common.testing.servers

CHAOS_REPORT := .chaos/report.jsonl
SOAK_REPORT := .chaos/soak.jsonl
.PHONY: chaos
chaos: install ## Break services and servers on purpose, every scenario (25 minutes); figures into docs
	rm -f $(CHAOS_REPORT)
	$(PYTEST) -m "chaos and not soak" tests/chaos --durations=50
	$(BIN)/python -m spine_common.testing.chaos.report $(CHAOS_REPORT) docs/reliability.md figures

.PHONY: chaos-quick
chaos-quick: install ## The scenarios that every run of the tests includes (2 minutes)
	$(PYTEST) -m "chaos and quick" tests/chaos

.PHONY: soak
soak: install ## Break everything at random for SPINE_SOAK_MINUTES (30), then check it all (10)
	rm -f $(SOAK_REPORT)
	SPINE_CHAOS_REPORT=$(SOAK_REPORT) $(PYTEST) -m soak tests/chaos
	$(BIN)/python -m spine_common.testing.chaos.report $(SOAK_REPORT) docs/reliability.md soak

.PHONY: bench
bench: install ## Measure rows per second end to end, as a ratio to bare COPY
	$(BIN)/python -m benchmarks.end_to_end

.PHONY: bench-quick
bench-quick: install ## The same benchmark, a few partitions only
	$(BIN)/python -m benchmarks.end_to_end --quick

.PHONY: db-init
db-init: install ## Bring the database to this release's schema
	$(BIN)/spine db migrate

.PHONY: db-reset
db-reset: install ## Drop every table and begin anew
	$(BIN)/spine db reset

.PHONY: clean
clean: ## Remove environments and caches, no data
	rm -rf .venv .bootstrap .mypy_cache .ruff_cache .pytest_cache .hypothesis
