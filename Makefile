# Everything a newcomer needs: `make run` makes a dataset on the embedded AWS, `make test` proves the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STATE := .datafactory

# What `make run` asks for; every one can be given on the command line: make run SAMPLES=60
DATASET ?= demo
GENERATORS ?= all
SAMPLES ?= 30
BATCH ?= 10
SEED ?= 42
FORMAT ?= files
REQUIRE ?= final_frame.png ground_truth.mp4 metadata.json

# A Prefect of this checkout's own: the user's settings and database stay as they are.
PREFECT := PREFECT_HOME="$(CURDIR)/$(STATE)/prefect" PREFECT_SERVER_ANALYTICS_ENABLED=false \
  PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120 PREFECT_CLI_PROMPT=false DO_NOT_TRACK=1

.PHONY: run up down test check format soak bench lock clean help
help:  ## what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@# uv leaves no bytecode and generators may write none: each batch would compile these anew.
	$(BIN)/python -m compileall -q -j 0 $(foreach p,numpy PIL av pydantic,$(VENV)/lib/python*/site-packages/$(p))
	@touch $@

run: $(READY)  ## make a dataset on the embedded AWS and report on it
	@$(PREFECT) $(BIN)/datafactory local exec -- $(BIN)/python -m flows --dataset "$(DATASET)" \
	  $(foreach g,$(GENERATORS),-g '$(g)') -n $(SAMPLES) -b $(BATCH) -s $(SEED) --output-format $(FORMAT) \
	  $(foreach f,$(REQUIRE),--require $(f)) --report-folder "$(STATE)/reports/$(DATASET)"

up: $(READY)  ## the Prefect UI with everything behind it, on this machine
	@$(BIN)/datafactory ui up

down:  ## end what make up started; samples and history are kept
	@$(BIN)/datafactory ui down

test: check  ## checks and tests; the long ones are in soak
	@mkdir -p $(STATE)
	$(PREFECT) $(BIN)/python -m pytest -q -n 2 --dist loadfile

soak: $(READY)  ## generators that misbehave as on Lambda's kernel, and long fault and load runs
	@mkdir -p $(STATE)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/torture --bare
	$(PREFECT) $(BIN)/python -m pytest -q -m soak tests/soak

bench: $(READY)  ## how fast the worker and the control plane are, and what they cost
	$(BIN)/python -m bench.worker
	$(BIN)/python -m bench.control

check: $(READY)  ## ruff, strict types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)  ## resolve requirements.lock anew; it names no host
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-header \
	  --no-emit-package vbvrdatafactory --upgrade pyproject.toml -o requirements.lock

clean:  ## forget the embedded AWS and its data, and the environment
	-$(BIN)/datafactory ui down
	rm -rf $(VENV) $(STATE)
