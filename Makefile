# One command per wish; `make help` lists them. Anything longer than a few lines lives in Python.
PYTHON ?= .venv/bin/python
SIZE   ?= control-plane
NAME   ?= headgate
ON     ?= detect
ROUNDS ?= 3
TIERS  ?= core api house docs adapters cluster shell chart admission simulation life hazards e2e

# With a Python of your own (PYTHON=…) the virtual environment is yours too.
VENV := $(if $(filter .venv/bin/python,$(PYTHON)),.venv/.installed)
PINS := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help venv check format test test-core test-simulation test-deep test-control-plane test-e2e soak demo bench \
	crds cluster cluster-down run requirements clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV) ## Make .venv from the hashed requirements

.venv/.installed: requirements/dev.txt
	@for candidate in python3 python3.13 python3.12 python3.11; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$candidate makes .venv"; exec $$candidate -m venv --clear .venv; \
	  fi; \
	done; echo "Headgate needs Python 3.11 or newer: none found on the PATH." >&2; exit 1
	.venv/bin/python -m pip install --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	.venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: $(VENV) ## Check format, lint, types, import contracts and the CRDs
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -c "from importlinter import cli; cli.lint_imports_command()"
	$(PYTHON) -m headgate.cli crds --check crds/
	$(PYTHON) -m headgate.cli crds --check charts/headgate/files/
	$(PYTHON) -m headgate.cli policies --check policies/
	$(PYTHON) -m headgate.cli policies --check charts/headgate/policies/
	$(PYTHON) -m headgate.cli reference --check docs/
	$(PYTHON) -m tests.hazards --check docs/
	$(PYTHON) -m tests.docs.lifecycle --check docs/

format: $(VENV) ## Format, and mend what the linter can
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

test: check ## Check, then run every tier of tests
	$(PYTHON) -m tests $(TIERS)

test-core: $(VENV) ## The rules; fails under 100 % branch coverage of core/
	$(PYTHON) -m tests core

test-simulation: $(VENV) ## The invariants, in a virtual cluster
	$(PYTHON) -m tests simulation

test-control-plane: $(VENV) ## Against a real API server, built here the first time
	$(PYTHON) -m tests admission life hazards

test-e2e: $(VENV) ## Real pods, Prometheus and users, on a node of its own (root)
	$(PYTHON) -m tests e2e

test-deep: $(VENV) ## Search for new faults for hours: 2,000 examples of everything random, all kill points
	HYPOTHESIS_PROFILE=deep HEADGATE_ALL_KILL_POINTS=1 $(PYTHON) -m tests simulation hazards

soak: $(VENV) ## Count what users lose over ROUNDS=3 promotions and as many rollbacks (root)
	$(PYTHON) -m tests.e2e.soak $(ROUNDS)

demo: $(VENV) ## Watch a good version promoted and a bad one taken back (root; KEEP=1 leaves the cluster up)
	$(PYTHON) -m demo

bench: $(VENV) ## Measure latency, API requests, memory and scale on a control plane (FULL=1; SECTIONS="react writes …")
	$(PYTHON) -m bench $(SECTIONS)

crds: $(VENV) ## Write crds/, policies/, the roles and what is generated in docs/ anew from the API models and the tests
	$(PYTHON) -m headgate.cli crds --write crds/
	$(PYTHON) -m headgate.cli crds --write charts/headgate/files/
	$(PYTHON) -m headgate.cli policies --write policies/
	$(PYTHON) -m headgate.cli policies --write charts/headgate/policies/
	$(PYTHON) -m headgate.cli reference --write docs/
	$(PYTHON) -m tests.hazards --write docs/
	$(PYTHON) -m tests.docs.lifecycle --write docs/
	$(PYTHON) -m tests.chart.values_table
	$(PYTHON) -m tests.chart.rights

cluster: $(VENV) ## Start a cluster: SIZE=control-plane|node NAME=headgate ON=kind|local (kind where Docker answers)
	@$(PYTHON) -m hack.cluster up --size $(SIZE) --name $(NAME) --on $(ON)

cluster-down: $(VENV) ## Stop the cluster: NAME=headgate, whatever it is ON
	@$(PYTHON) -m hack.cluster down --name $(NAME) --on $(ON)

run: $(VENV) ## Run the operator from this desk with the current KUBECONFIG
	$(PYTHON) -m headgate

requirements: $(VENV) ## Pin requirements/ anew, with hashes (UPGRADE=1 moves every pin)
	$(PYTHON) -m uv pip compile $(PINS) $(if $(UPGRADE),--upgrade) --quiet --output-file requirements/runtime.txt pyproject.toml
	$(PYTHON) -m uv pip compile $(PINS) $(if $(UPGRADE),--upgrade) --quiet --output-file requirements/dev.txt \
	  --constraint requirements/runtime.txt --group dev pyproject.toml

clean: ## Remove what make and the tools made here
	rm -rf .venv dist .cache .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
