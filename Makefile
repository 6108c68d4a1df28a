# Two commands on a fresh machine with python3 >= 3.11, node >= 20 and make: `make run` and `make test`.
# Each target sets up what it needs; nothing has to be prepared by hand.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := .tools/.ready
WORKERS ?= 2

.PHONY: help setup run up test check synth deploy drill bench lock clean

help:            ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup: $(READY)  ## the virtual environment, every dependency by its hash

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headwater needs python3 >= 3.11: make PYTHON=/path/to/python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

run: $(READY)    ## the main job, end to end, on this laptop: make run [FEED=path] [ARGS="--keep"]
	$(BIN)/headwater run --auto $(if $(FEED),--feed "$(FEED)") $(ARGS)

up: $(READY)     ## the local stack, until Ctrl-C
	$(BIN)/headwater up

test: $(READY)   ## everything that must hold: checks, then all tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(READY)  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

$(TOOLS): infra/tools.sh
	./infra/tools.sh
	touch $@

synth: $(READY) $(TOOLS)  ## CloudFormation templates and assets into cdk.out, offline
	./infra/cdk.sh synth --quiet

deploy: $(READY) $(TOOLS) ## cdk deploy --all into the account of your AWS credentials
	./infra/cdk.sh deploy --all $(ARGS)

drill: $(READY)  ## what may corrupt a chart: every scenario against simulated EHRs, ten invariants after each: make drill [ARGS="--seed 2"]
	$(BIN)/headwater drill $(ARGS)

bench: $(READY)  ## benchmarks; ratios within one run
	$(BIN)/python bench/validator.py
	$(BIN)/python -m bench.side_by_side
	$(BIN)/python -m bench.storm
	$(if $(FHIR_CONVERTER),$(BIN)/python bench/engine.py $(FHIR_CONVERTER),@echo "bench/engine.py: make bench FHIR_CONVERTER=path of a checkout of microsoft/FHIR-Converter")

lock: $(READY)   ## pin every dependency by hash, no registry address in any file
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --extra infra --extra local --extra test --extra build \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --python-platform aarch64-manylinux_2_28 --python-version 3.14 --generate-hashes \
	  --no-emit-index-url --no-emit-package boto3 --no-emit-package botocore --no-emit-package s3transfer \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/layer.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --extra empi --constraint requirements/dev.txt \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/empi.txt

clean:           ## everything that make made
	rm -rf $(VENV) .tools .local cdk.out build .pytest_cache .mypy_cache .ruff_cache .hypothesis
