# Two commands need nothing but make and Python >= 3.11: `make run` and `make test`. Both set up .venv first.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DIFF ?= examples/code_review/change.diff
SEEDS ?= 2000
JOBS ?= 3
POINTS ?= 10000
MINUTES ?= 10

.PHONY: run test check bench bench-peers sim crash network soak disk fuzz help

help:            ## what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "questd needs Python 3.11 or newer; none was found (PYTHON=… names one)"; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,examples,arrow]'
	@touch $@

run: $(READY)    ## review a diff with four agents: make run [DIFF=path]
	@$(BIN)/quest run examples/code_review/code-review.yaml --config examples/code_review/questd.toml -i git_diff=@$(DIFF)

test: $(READY)   ## the whole suite, by JOBS processes (3)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: $(READY)  ## ruff, mypy, pyright
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(READY)  ## the figures of this machine
	@$(BIN)/python -m benchmarks

bench-peers: $(READY)  ## beside DBOS, LangGraph, Celery, Prefect (installs them in .bench)
	@$(BIN)/python -m benchmarks.peers

sim: $(READY)    ## the deterministic simulation: make sim SEEDS=n POINTS=n (runs by seed; deaths of the daemon at appends)
	@$(BIN)/python -m questd.simulation --seeds $(SEEDS)
	@$(BIN)/python -m questd.simulation --crash-points $(POINTS)

crash: $(READY)  ## kill -9 of real daemons at every point of every commit of the reference runs
	@CRASH_POINTS=all $(BIN)/python -m pytest -rA tests/crash

network: $(READY)  ## partitions, floods, strangers, 500 agents: the tests of the suite with more of everything
	@NETWORK_SCALE=5 $(BIN)/python -m pytest -rA tests/network

soak: $(READY)   ## everything is killed while quests run: make soak MINUTES=n
	@$(BIN)/python -m tests.soak all --minutes $(MINUTES)

disk: $(READY)   ## every byte, call and sync of the journal's and history's files fails (an hour)
	@QUESTD_DISK=all $(BIN)/python -m pytest -rA tests/disk

fuzz: $(READY)   ## fuzz doors, documents, expressions, SQL, rows: make fuzz MINUTES=n (guided by coverage where atheris has a wheel)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary atheris -e '.[fuzz]' || true
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)
