# The four verbs and their relatives. Every one of them makes what it needs.
#
# A recipe ends in one plain command, which make runs itself or a shell becomes by "exec": a
# SIGTERM to make then reaches the program, and make waits until it has ended.

PYTHON ?= python3
VENV := .venv
CHECKS := tests/browser
PACKAGES := engine gateway verifier loadtests tests tools

.DEFAULT_GOAL := run
.PHONY: run test replay bench audit lint fuzz faults
.DELETE_ON_ERROR:

run: $(VENV)/.runtime
	@exec $(VENV)/bin/python -m gateway.house

test: $(VENV)/.dev $(CHECKS)/node_modules/.installed
	@sh tools/chromium.sh
	@exec $(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# FILE is a trace; REPORT, if given, gets a line of JSON per auction.
replay: $(VENV)/.runtime
	@test -n "$(FILE)" || { echo "make replay needs a trace: make replay FILE=sale.trace.jsonl [REPORT=out.jsonl]" >&2; exit 2; }
	@exec $(VENV)/bin/python -m loadtests.replay "$(FILE)" $(if $(REPORT),--report "$(REPORT)")

bench: $(VENV)/.dev
	@exec $(VENV)/bin/python -m loadtests.bench

# CASES requests, made from the APIs' own document and checked against it; "make test" sends fewer.
CASES ?= 20000
fuzz: $(VENV)/.dev
	@FUZZ_CASES=$(CASES) exec $(VENV)/bin/python -m pytest tests/integration/test_schemathesis.py

# Every fault that can be planted in the engine's core, each in a copy; "make test" plants a fourth.
faults: $(VENV)/.dev
	@FAULTS=all exec $(VENV)/bin/python -m pytest tests/engine/core/test_faults.py

# Of the house in DATA_DIR, open or closed: the sales, and then the registry whatever they say.
audit: $(VENV)/.runtime
	@$(VENV)/bin/python -m gateway.audit; sales=$$?; \
	$(VENV)/bin/python -m verifier audit && exit $$sales

lint: $(VENV)/.dev $(CHECKS)/node_modules/.installed
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(CHECKS)/node_modules/.bin/tsc --project $(CHECKS)
	@$(CHECKS)/node_modules/.bin/tsc --project $(CHECKS)/tsconfig.console.json
	@exec $(VENV)/bin/mypy --strict $(PACKAGES)

# The stamp is newer than the lock exactly when the lock is installed.
$(VENV)/.runtime: requirements.lock $(VENV)/.made
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# The development lock holds the runtime lock's versions and the tools: one install is both.
$(VENV)/.dev: requirements-dev.lock $(VENV)/.made
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# What checks the pages' scripts: only tests need it, and nothing of it is shipped.
$(CHECKS)/node_modules/.installed: $(CHECKS)/package-lock.json
	@sh tools/node.sh
	@npm ci --silent --prefix $(CHECKS)
	@touch $@

$(VENV)/.made:
	@PYTHON="$(PYTHON)" sh tools/venv.sh $(VENV)
	@touch $@
