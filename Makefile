# Every verb sets up what it needs; `make run` and `make test` work from an empty clone.
PYTHON ?= python3
VENV ?= .venv
DATA ?= data
SECONDS ?= 600
BIN := $(VENV)/bin
KERNELS := $(wildcard wire/*.p[yx]* tsdb/*.p[yx]* consumers/*.p[yx]* query/*.p[yx]*)
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: run test lint bench elastic senders soak chaos fuzz docs lock clean

run: $(VENV)/kernels   ## the main job: everything in one process, on an embedded log and a local bucket in $(DATA)
	$(BIN)/forebay all-in-one --data.dir=$(DATA)

test: $(VENV)/kernels  ## lint, types, and all tests against real peers (set up on first use, cached outside the clone)
	$(BIN)/python -m tests.peers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q

lint: $(VENV)/kernels  ## ruff (all rules) and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/kernels  ## figures with their peers in the same run; docs/performance.md says how to read them
	$(BIN)/python -m tests.peers victoria-metrics
	$(BIN)/python -m bench

soak: $(VENV)/kernels  ## kill -9 at random moments under load, for ROUNDS rounds
	$(BIN)/python -m tests.crash --rounds $(or $(ROUNDS),100) $(if $(RECORD_VERSION),--record-version $(RECORD_VERSION))

elastic: $(VENV)/kernels ## consumers come and go under load on Kafka and S3, 20 minutes; tables and charts of docs/elastic.md
	$(BIN)/python -m tests.peers kafka-4.1 versitygw
	$(BIN)/python -m tests.elastic

senders: $(VENV)/kernels ## Prometheus 3.15 (1.0 and 2.0), 2.42 and vmagent for MINUTES, through restarts and outages; nothing may be lost
	$(BIN)/python -m tests.senders --minutes $(or $(MINUTES),5)

chaos: $(VENV)/kernels ## EVENTS of all kinds on real Kafka and S3; SEED repeats a plan, COMPACTOR=1 adds one, RECORD_VERSION=2 leaves labels out (docs/testing.md)
	$(BIN)/python -m tests.peers kafka-4.1 versitygw
	$(BIN)/python -m tests.chaos --events $(or $(EVENTS),200) $(if $(SEED),--seed $(SEED)) $(if $(COMPACTOR),--compactor) $(if $(RECORD_VERSION),--record-version $(RECORD_VERSION))

fuzz: $(VENV)/kernels  ## hostile bytes into every kernel under AddressSanitizer, for SECONDS; or REQUESTS mutated write requests
	$(BIN)/python -m tests.fuzz.run $(if $(REQUESTS),--requests $(REQUESTS) --processes 2,--seconds $(SECONDS))

docs: $(VENV)/kernels  ## the reference pages agree with the code
	$(BIN)/python -m pytest -q -k "docs or documented"

lock:                  ## renew requirements.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip -q install uv
	$(VENV)-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --extra dev pyproject.toml -o requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) build *.egg-info
	find . -name '*.so' -o -name '__pycache__' | xargs rm -rf

$(VENV)/packages: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/kernels: $(VENV)/packages pyproject.toml setup.py $(KERNELS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
