# Two commands on a fresh machine: `make run` shows it working, `make test` proves it. Everything else is a part of one of them.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
N ?= 0
DEMO ?= 1
TEST ?= 0
# What the tests found missing on the machine stands here.
WITH_TOOLS := PATH="$(CURDIR)/.tools/bin:$$PATH"

# Every fault of the programme, each where it is shown: beside a real Asterisk, in the simulator, in books, in recordings.
FAULTED := tests/faults $(wildcard tests/live/test_odd_*.py) tests/sim/test_faults.py tests/store/test_upgrade.py \
	tests/core/test_recordings.py tests/core/test_queue_model.py
# Those of them that ask the same of a lab whose books lie on PostgreSQL.
ON_POSTGRESQL := tests/faults/test_kill.py tests/faults/test_promises.py tests/faults/test_asterisk_restarts.py -k "not emergency_numbers"

.PHONY: help setup run test check bench soak sim faults fuzz search reliability rules fraud clean

help: ## these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

setup: ## environment in .venv, Asterisk in .asterisk (TEST=1: test tools too); quick when nothing is missing
	@TEST=$(TEST) scripts/setup.sh

run: setup ## Asterisk, daemon, phones and two calls on loopback; stays up until Ctrl-C (DEMO=0: without phones and calls)
	@exec $(BIN)/tongdai lab --dir var/lab --setup examples/setup.toml $(if $(filter 0,$(DEMO)),--no-demo)

test: ## everything: checks, then every test, those against a real Asterisk included
	@TEST=1 scripts/setup.sh
	@scripts/test.sh

check: setup ## lint, format, types, imports
	@scripts/check.sh

bench: ## measures this machine and prints one table (BENCH=options)
	@TEST=1 scripts/setup.sh
	@$(WITH_TOOLS) $(BIN)/python -m benchmarks $(BENCH)

soak: ## mixed load for HOURS=1.5 (or MINUTES=10), RATE=2 calls a second; whether anything grows, to var/reliability/soak.json
	@TEST=1 scripts/setup.sh
	@$(WITH_TOOLS) $(BIN)/python -m benchmarks.soak --rate $(or $(RATE),2) $(if $(MINUTES),--minutes $(MINUTES),--hours $(or $(HOURS),1.5))

sim: setup ## the whole controller on virtual time with every fault (SEED=n TO=s | SEEDS=n FIRST=n SECONDS=s FAULT=F34)
	@$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED)) $(if $(TO),--to $(TO)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(FIRST),--first $(FIRST)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FAULT),--fault $(FAULT))

faults: ## every fault against a real Asterisk as often as asked, figures to var/reliability (N=5: at most five times each; ON=postgresql)
	@TEST=1 scripts/setup.sh
	@FAULTS_N=$(N) FAULTS_ON=$(ON) $(WITH_TOOLS) $(BIN)/python -m pytest -q -p no:cacheprovider --timeout=1800 \
		$(if $(filter postgresql,$(ON)),$(ON_POSTGRESQL),$(FAULTED))

reliability: ## docs/reliability.md from what the simulator, the faults, the fuzzers and the soak left in var/reliability
	@python3 scripts/reliability.py

fuzz: setup ## hostile input on every core for MINUTES=7, figures in var/reliability/fuzz.json (ONLY=Z1,Z7 SEED, BATCH)
	@scripts/fuzz.sh --minutes $(or $(MINUTES),7) $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED)) $(if $(BATCH),--batch $(BATCH))

search: setup ## every property with examples nobody has seen, which `make test` does not ask for (PROFILE=deep: far more of them)
	@HYPOTHESIS_PROFILE=$(or $(PROFILE),search) $(BIN)/python -m pytest -q -n 2 --timeout=3600 -m "pure or wire"

rules: setup ## 10,000 histories of calling out against the rules by an oracle, then each rule broken in turn; long
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -q -s -n0 tests/core/test_outbound_history.py
	@$(BIN)/python -m tests.core.outbound_mutants

fraud: setup ## a stolen phone dials 500 numbers in ten minutes at a real Asterisk; long
	@FRAUD_CALLS=500 FRAUD_SECONDS=600 $(BIN)/python -m pytest -q --timeout 900 tests/live/test_limits.py -k stolen

clean: ## removes what setup and runs have made
	rm -rf .venv .venv-* .asterisk .asterisk.tmp .tools .tools.tmp var .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
