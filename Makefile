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
# 1 to redefine a dataset under its name, such as with another seed
REPLACE_SPEC ?=
# keep or replace samples that are there and not what is asked for, such as those of another seed
ON_MISMATCH ?= refuse
REQUIRE ?= final_frame.png ground_truth.mp4 metadata.json
ASKED := DATASET GENERATORS SAMPLES BATCH SEED FORMAT REPLACE_SPEC ON_MISMATCH REQUIRE

FROM_SHELL := $(foreach name,$(ASKED),$(if $(findstring environment,$(origin $(name))),$(name)))

# Values reach the shell as variables, never as text of a command: a quote or a $ in one is a quote or a $.
$(foreach name,PYTHON $(ASKED),$(eval override $(name) := $$(value $(name))))
# What changes Python itself stays out; the rest of the user's shell is sorted where processes are started.
unexport $(filter-out PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX,$(filter PYTHON%,$(.VARIABLES)))
export PYTHON $(ASKED)
# A Prefect of this checkout's own: the user's settings and database stay as they are.
export PREFECT_HOME := $(CURDIR)/$(STATE)/prefect
OWN := $(BIN)/python -I -m infra.environment
# Tests start hundreds of programs: what they import is compiled once, whatever the shell says of bytecode.
TESTS := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$(CURDIR)/$(STATE)/bytecode" $(OWN) $(BIN)/python -m pytest -q
# Half of their time tests wait: for a queue, a deadline, a page.
AT_A_TIME ?= 3
# A generator that somebody put beside ours is theirs to lint.
LINTED := $(filter-out generators/ build/ dist/ results/ cdk.out/,$(wildcard */)) generators/template $(wildcard generators/V-[123]_*)

# Not empty if the environment is no longer what was installed: a package was replaced, its Python is gone, …
STALE := $(shell test ! -e $(VENV)/pyvenv.cfg && test ! -s $(READY) || \
  $(BIN)/python -I infra/installation.py check >/dev/null 2>&1 || echo stale)
ifneq ($(STALE),)
$(READY): FORCE
endif

.PHONY: run up down test docs check format soak image-test bench lock clean help publish-image publish-template FORCE
.DEFAULT_GOAL := help
help:  ## what can be made
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ {printf "%-16s %s\n", $$1, $$2}' Makefile

$(READY): requirements.lock pyproject.toml
	@command -v "$$PYTHON" >/dev/null || { echo "there is no '$$PYTHON'; Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@"$$PYTHON" -E -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@"$$PYTHON" -I infra/installation.py make

run: $(READY)  ## make a dataset on the embedded AWS and report on it: make run SAMPLES=60 GENERATORS='V-1* V-2*'
	@$(foreach name,$(FROM_SHELL),printf '%s\n' "$(name)=$$$(name) is taken from the environment" >&2;) \
	set -f; set --; \
	for name in $$GENERATORS; do set -- "$$@" -g "$$name"; done; \
	for file in $$REQUIRE; do set -- "$$@" --require "$$file"; done; \
	case "$$REPLACE_SPEC" in ''|0|no|false) ;; *) set -- "$$@" --replace-spec ;; esac; \
	exec $(BIN)/datafactory local exec --own-prefect -- $(BIN)/python -m flows --dataset "$$DATASET" "$$@" \
	  -n "$$SAMPLES" -b "$$BATCH" -s "$$SEED" --output-format "$$FORMAT" --on-mismatch "$$ON_MISMATCH" --report-folder "$(STATE)/reports/$$DATASET"

up: $(READY)  ## the Prefect UI with everything behind it, on this machine
	@$(BIN)/datafactory ui up

down:  ## end what make up started; samples and history are kept
	@$(BIN)/datafactory ui down

test: check  ## checks and tests; the long ones are in soak
	$(TESTS) -n $(AT_A_TIME) --dist loadfile

soak: $(READY)  ## generators that misbehave as on Lambda's kernel, and long fault and load runs
	$(TESTS) -n $(AT_A_TIME) --dist loadfile tests/torture --bare
	$(TESTS) -m soak tests/soak
	$(TESTS) --hypothesis-profile explore tests/planning/test_invariants.py

image-test: $(READY)  ## build the worker's image with buildah, and run it as Lambda does; part of soak: make image-test BASE=…
	IMAGE_TEST_BASE="$(BASE)" $(TESTS) -s -m soak tests/soak/test_image.py

bench: $(READY)  ## how fast the worker starts and works, how fast the control plane is, and what they cost
	$(OWN) $(BIN)/python -m bench.cold
	$(OWN) $(BIN)/python -m bench.worker
	$(OWN) $(BIN)/python -m bench.control
	$(OWN) $(BIN)/python -m bench.release

# TAG of the image, REPOSITORY in the account's private registry, and where they are needed BASE that it is built on and
# CERTIFICATE of a proxy that inspects TLS; BUCKET of the template, IMAGE that it is to run.
TAG ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
REPOSITORY ?= vbvr-datafactory

publish-image: $(READY)  ## build the worker's image where Docker is, and push it to your account's registry
	$(BIN)/python -m infra.publish image --repository "$(REPOSITORY)" --tag "$(TAG)" \
	  $(if $(BASE),--base "$(BASE)") $(if $(CERTIFICATE),--certificate "$(CERTIFICATE)")

publish-template: $(READY)  ## put the one-click template into BUCKET and print its link: make publish-template BUCKET=… IMAGE=…
	$(BIN)/python -m infra.publish template --bucket "$(BUCKET)" --image "$(IMAGE)"

docs: $(READY)  ## the documentation site, in build/site; fails on a broken link
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

check: docs  ## ruff, strict types, import contracts, the documentation's links
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## put the code into its format
	$(BIN)/ruff check --fix $(LINTED)
	$(BIN)/ruff format $(LINTED)

lock: $(READY)  ## resolve requirements.lock anew; it names no host
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-header \
	  --no-emit-package vbvrdatafactory --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --constraint requirements.lock --no-emit-package vbvrdatafactory --extra image pyproject.toml \
	  -o lambda_worker/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --constraint requirements.lock --no-emit-package vbvrdatafactory --extra image-build pyproject.toml \
	  -o lambda_worker/build-requirements.txt

clean:  ## forget the embedded AWS and its data, and the environment
	-@test ! -x $(BIN)/datafactory || $(BIN)/datafactory ui down
	rm -rf $(VENV) $(STATE)
